import { assertEquals, assertThrows } from "@std/assert";
import { DeviceBus, type MmioDevice, SILENT_USERSPACE } from "./device_bus.ts";

function device(name: string, gpa: number, size: number): MmioDevice {
  return { name, gpa, size, read() {}, write() {} };
}

Deno.test("DeviceBus.find() finds the device that serves all of the bytes", () => {
  const bus = new DeviceBus();
  bus.add(device("timer", 0xfed00000, 0x400));
  bus.add(device("uart", 0xfed00400, 8));
  const nameAt = (gpa: number, length: number) => bus.find(gpa, length)?.name;
  assertEquals(nameAt(0xfed00000, 4), "timer");
  assertEquals(nameAt(0xfed003fc, 4), "timer");
  assertEquals(nameAt(0xfed003fc, 8), undefined);
  assertEquals(nameAt(0xfed00400, 8), "uart");
  assertEquals(nameAt(0xfed00408, 1), undefined);
  assertEquals(nameAt(0xfecfffff, 1), undefined);
});

Deno.test("DeviceBus.add() throws when ranges overlap", () => {
  const bus = new DeviceBus();
  bus.add(device("timer", 0xfed00000, 0x400));
  assertThrows(
    () => bus.add(device("uart", 0xfed003ff, 8)),
    RangeError,
    "Cannot add device 'uart': it overlaps 'timer'",
  );
});

Deno.test("SILENT_USERSPACE reads zero", () => {
  const data = Uint8Array.of(1, 2, 3, 4);
  SILENT_USERSPACE.read(0, data, 4);
  SILENT_USERSPACE.write(0, data, 4);
  assertEquals([...data], [0, 0, 0, 0]);
});
