/**
 * Writes a probe's numbers as kprobes of 3.11 do, bare hexadecimal, where a kernel of that line printed `0x`: kprobes came
 * to it in between (b26c74e116ad), and a number without it is then decimal. Return values are decimal in all.
 *
 * @param text A probe's event, without its location: `gfn=0xd0000 direct=1`.
 */
export function bareNumbers(text: string): string {
  return text.replace(/\b(\w+)=(0x[0-9a-f]+|-?\d+)/g, (whole, key, number) => {
    if (key === "ret" || key === "flush") return whole;
    return `${key}=${BigInt(number).toString(16)}`;
  });
}
