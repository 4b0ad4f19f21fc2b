export * from "./check_scenario.ts";
export * from "./monitor.ts";
export * from "./vm_world.ts";
export * from "./describe_vm.ts";
