import { GuestWalker, PFERR_USER, walkAddr, type WalkMmu } from "@mmu-lab/paging";
import { FIRST_GFN, guestTables } from "./guest_tables.ts";
const pages = Number(Deno.args[0]), walks = 2**20, rounds = Number(Deno.args[1]);
function generator() { let s = 1; return () => (s = (Math.imul(s, 1664525) + 1013904223) >>> 0); }
const { mmu, mapped } = guestTables(pages);
const walker = new GuestWalker();
const random = generator();
const gfns = Int32Array.from({ length: walks }, () => FIRST_GFN + (random() % (mapped * 512)));
function walkGuestTables(mmu: WalkMmu, walker: GuestWalker, gfns: Int32Array): number {
  let seen = 0; let off = 0;
  for (let n = 0; n < gfns.length; n++) {
    const gfn = gfns[n] + off;
    seen += walkAddr(mmu, walker, gfn << 12, gfn >>> 20, PFERR_USER) ? 1 : 0;
    off = walker.gfn - gfns[n];
  }
  return off === 0 ? seen : -1;
}
function once() { const t = performance.now(); if (walkGuestTables(mmu, walker, gfns) !== walks) throw 1; return (performance.now() - t) * 1e6 / walks; }
const fastest = () => Math.min(...Array.from({ length: 6 }, once).slice(1));
fastest();
const res: number[] = [], cs: number[] = [], ms: number[] = [];
for (let r = 0; r < rounds; r++) {
  const out = new Deno.Command("/tmp/w/scratch-shcheck/b/ref", { args: ["1","16","1","1","1", String(pages), String(walks), "5"] }).outputSync();
  const c = JSON.parse(new TextDecoder().decode(out.stdout)).walk;
  const m = fastest();
  cs.push(c); ms.push(m); res.push(m / c);
}
const med = (a: number[]) => [...a].sort((x, y) => x - y)[a.length >> 1];
console.log(pages, "c", med(cs).toFixed(1), "model", med(ms).toFixed(1), "ratio", med(res).toFixed(2), Math.min(...res).toFixed(2), Math.max(...res).toFixed(2));
