import { assertEquals } from "@std/assert";
import { formatNumber, textTable } from "./text_table.ts";
import { wrapText } from "./wrap_text.ts";

Deno.test("textTable() puts the first column left and the others right", () => {
  assertEquals(
    textTable([["", "a", "long"], ["row", "1,000", "2"], ["日本", "", ""]]),
    [
      "          a  long\n",
      "row   1,000     2\n",
      "日本\n",
    ].join(""),
  );
});

Deno.test("formatNumber() separates thousands", () => {
  assertEquals([0, 999, 1234567].map(formatNumber), ["0", "999", "1,234,567"]);
});

Deno.test("wrapText() keeps to 80 columns and loses nothing", () => {
  const text = Array.from({ length: 60 }, (_, i) => "w".repeat(1 + (i % 9))).join(" ");
  const wrapped = wrapText(text);
  assertEquals(wrapped.replaceAll("\n", " "), text);
  assertEquals(wrapped.split("\n").every(({ length }) => length <= 80), true);
});
