import { assertEquals } from "@std/assert";
import { KVM_MMU_GET_PAGE } from "./events_kvmmmu.ts";
import { printEvent } from "./print_event.ts";
import { packSpRole } from "./sp_role.ts";

Deno.test("packSpRole() makes the page string of each era", () => {
  const role = packSpRole({ level: 4, access: 7, direct: true });
  const args = [0, 0xc0000, role, 1, 0, 1];
  assertEquals(
    printEvent(KVM_MMU_GET_PAGE, 0, args, "3.11"),
    "sp gen 0 gfn c0000 4 q0 direct wux !nxe root 1 sync new",
  );
  assertEquals(
    printEvent(KVM_MMU_GET_PAGE, 0, args, "4.19"),
    "sp gen 0 gfn c0000 l4 q0 direct wux !nxe ad root 1 sync new",
  );
  assertEquals(
    printEvent(KVM_MMU_GET_PAGE, 0, args, "6.1"),
    "sp gen 0 gfn c0000 l4 8-byte q0 direct wux !nxe ad root 1 sync new",
  );
});

Deno.test("packSpRole() packs every property", () => {
  const role = packSpRole({
    level: 1,
    access: 5,
    quadrant: 3,
    invalid: true,
    nxe: true,
    pae: true,
    fourByteGpte: true,
    adDisabled: true,
  });
  const args = [10, 2, role, 0, 1, 0];
  assertEquals(
    printEvent(KVM_MMU_GET_PAGE, 0, args, "4.19"),
    "sp gen a gfn 2 l1 pae q3 -ux invalid nxe !ad root 0 unsync existing",
  );
  assertEquals(
    printEvent(KVM_MMU_GET_PAGE, 0, args, "6.1"),
    "sp gen 10 gfn 2 l1 4-byte q3 -ux invalid nxe !ad root 0 unsync existing",
  );
});
