import { assertEquals } from "@std/assert";
import { FlatOracle } from "./oracle.ts";

const RAM = { id: 0, gpa: 0x2000, size: 0x2000, flags: 0, userspaceAddr: 0x10000 };

function oracle(): FlatOracle {
  return new FlatOracle((gpa) => gpa & 0xff);
}

function read(flat: FlatOracle, gpa: number, size: number) {
  return flat.access({ kind: "read", gpa, size, operand: [] });
}

Deno.test("FlatOracle.frame() follows creates, moves, flags and deletes", () => {
  const flat = oracle();
  const frames = () => [1, 2, 3, 4, 5].map((gfn) => flat.frame(gfn));
  flat.change(RAM);
  assertEquals(frames(), ["mmio", "ram", "ram", "mmio", "mmio"]);
  flat.change({ ...RAM, gpa: 0x4000 });
  assertEquals(frames(), ["mmio", "mmio", "mmio", "ram", "ram"]);
  flat.change({ ...RAM, id: 1, flags: 2 });
  assertEquals(frames(), ["mmio", "read-only", "read-only", "ram", "ram"]);
  flat.change({ ...RAM, size: 0 });
  assertEquals(frames(), ["mmio", "read-only", "read-only", "mmio", "mmio"]);
});

Deno.test("FlatOracle.access() keeps memory with the host page, through moves and deletes", () => {
  const flat = oracle();
  flat.change(RAM);
  flat.access({ kind: "write", gpa: 0x2ffe, size: 4, operand: [1, 2, 3, 4] });
  assertEquals(read(flat, 0x2ffe, 4), { data: [1, 2, 3, 4], exchanges: [] });
  flat.change({ ...RAM, gpa: 0x7000 });
  assertEquals(read(flat, 0x7ffe, 4).data, [1, 2, 3, 4]);
  flat.change({ ...RAM, size: 0 });
  flat.change({ ...RAM, id: 3, gpa: 0 });
  assertEquals(read(flat, 0xffe, 4).data, [1, 2, 3, 4]);
});

Deno.test("FlatOracle.access() splits at the page, and asks user space for each MMIO piece", () => {
  const flat = oracle();
  flat.change(RAM);
  assertEquals(read(flat, 0x1ffd, 8), {
    data: [0xfd, 0xfe, 0xff, 0, 0, 0, 0, 0],
    exchanges: [{ write: false, gpa: 0x1ffd, bytes: [0xfd, 0xfe, 0xff] }],
  });
  const write = flat.access({ kind: "write", gpa: 0x3fff, size: 3, operand: [7, 8, 9] });
  assertEquals(write, { data: [], exchanges: [{ write: true, gpa: 0x4000, bytes: [8, 9] }] });
  assertEquals(read(flat, 0x3fff, 1).data, [7]);
});

Deno.test("FlatOracle.access() reads a read-only page from memory and sends writes to user space", () => {
  const flat = oracle();
  flat.change({ ...RAM, flags: 2 });
  const write = flat.access({ kind: "write", gpa: 0x2000, size: 1, operand: [7] });
  assertEquals(write.exchanges, [{ write: true, gpa: 0x2000, bytes: [7] }]);
  assertEquals(read(flat, 0x2000, 1), { data: [0], exchanges: [] });
});

Deno.test("FlatOracle.access() adds with carry, cut to the size", () => {
  const flat = oracle();
  flat.change(RAM);
  const add = (operand: number[]) => flat.access({ kind: "rmw", gpa: 0x2000, size: 2, operand }).data;
  assertEquals(add([0xff, 0]), [0, 0]);
  assertEquals(add([1, 0]), [0xff, 0]);
  assertEquals(add([0, 0xff]), [0, 1]);
  assertEquals(read(flat, 0x2000, 3).data, [0, 0, 0]);
});

Deno.test("FlatOracle.dirtyLog() tells pages that must be reported from pages that may be, and clears both", () => {
  const flat = oracle();
  flat.change({ ...RAM, flags: 1 });
  read(flat, 0x2000, 1);
  flat.access({ kind: "write", gpa: 0x3000, size: 1, operand: [1] });
  assertEquals(flat.dirtyLog(0), { written: [1], touched: [0, 1] });
  assertEquals(flat.dirtyLog(0), { written: [], touched: [] });
  flat.change(RAM);
  assertEquals(flat.dirtyLog(0), undefined);
});
