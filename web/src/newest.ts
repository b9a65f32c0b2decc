/** The last entry that fits, looked for from the end: most are asked for what is newest. */
export function newest<T>(list: readonly T[], fits: (entry: T) => boolean): T | undefined {
  for (let at = list.length - 1; at >= 0; at -= 1) {
    if (fits(list[at]!)) return list[at];
  }
  return undefined;
}
