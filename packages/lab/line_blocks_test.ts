import { assertEquals } from "@std/assert";
import { lineBlocks } from "./line_blocks.ts";

async function blocksOf(...chunks: string[]): Promise<string[][]> {
  async function* source() {
    yield* chunks;
  }
  return await Array.fromAsync(lineBlocks(source()));
}

Deno.test("lineBlocks() joins what was cut, and gives lines as they arrive", async () => {
  assertEquals(await blocksOf("a\nb", "c\nd\n", "e"), [["a"], ["bc", "d"], ["e"]]);
  assertEquals(await blocksOf("a\r", "\nb\r\n\r\n"), [["a", "b", ""]]);
  assertEquals(await blocksOf(), []);
  assertEquals(await blocksOf("no end"), [["no end"]]);
});
