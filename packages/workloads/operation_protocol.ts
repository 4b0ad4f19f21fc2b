import type { Vm } from "@mmu-lab/machine";
import type { Protocol } from "@mmu-lab/protocol";
import { type OperationResult, runOperation } from "./run_operation.ts";
import type { Operation } from "./scenario.ts";

/**
 * One operation of a scenario as something that others can run beside; {@linkcode runOperation} drives it straight
 * through. Accesses, memslot updates and changes of address space interleave; all others happen at once (modelling
 * choice: the recorder never runs them beside anything).
 *
 * @param vm A VM made by `vmForScenario`. A vCPU can do one thing at a time.
 * @param operation What happens.
 */
export function* operationProtocol(vm: Vm, operation: Operation): Protocol<OperationResult> {
  switch (operation.op) {
    case "read":
    case "write":
    case "rmw": {
      const { vcpu: index, op, gva, size, value = "0" } = operation;
      const vcpu = vm.vcpu(index);
      new DataView(vcpu.operand.buffer).setBigUint64(0, BigInt(value), true);
      yield* vm.accessProtocol(vcpu, op, gva, size);
      return { ret: 0, access: vcpu.outcome };
    }
    case "memslot":
      return { ret: yield* vm.memslotProtocol(operation) };
    case "set-smm":
      yield* vm.smmProtocol(vm.vcpu(operation.vcpu), operation.on);
      return { ret: 0 };
    default:
      return runOperation(vm, operation);
  }
}

/**
 * Who performs an operation: its vCPU, or a thread of user space that belongs to none.
 *
 * @param thread Tells such threads apart, from 0.
 */
export function actorOf(vm: Vm, operation: Operation, thread: number): number {
  return "vcpu" in operation && operation.vcpu !== undefined ? operation.vcpu : vm.updater + thread;
}
