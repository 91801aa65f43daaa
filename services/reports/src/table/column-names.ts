/**
 * Names of columns as people and `columns` can refer to them: trimmed, an empty one becomes "column 3", the second of
 * the same name "name (2)".
 */
export function columnNames(header: readonly string[]): string[] {
  const taken = new Set<string>();
  return header.map((written, index) => {
    const name = written.trim() || `column ${index + 1}`;
    let unique = name;
    for (let count = 2; taken.has(unique); count++) unique = `${name} (${count})`;
    taken.add(unique);
    return unique;
  });
}
