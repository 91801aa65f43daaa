/** Says whether a routing key, cut into words, matches. */
export type TopicMatcher = (words: readonly string[]) => boolean;

/** The words of a routing key; the empty key has none. */
export function wordsOf(routingKey: string): string[] {
  return routingKey === '' ? [] : routingKey.split('.');
}

/** Reads a topic pattern: `*` is exactly one word, `#` any number of words, none included. */
export function topicMatcher(pattern: string): TopicMatcher {
  const parts = wordsOf(pattern);
  if (!parts.includes('#')) {
    return (words) =>
      words.length === parts.length && parts.every((part, i) => part === '*' || part === words[i]);
  }
  return (words) => matchesFrom(parts, 0, words, 0);
}

function matchesFrom(
  parts: readonly string[],
  part: number,
  words: readonly string[],
  word: number,
): boolean {
  if (part === parts.length) return word === words.length;
  if (parts[part] === '#') {
    for (let next = word; next <= words.length; next++) {
      if (matchesFrom(parts, part + 1, words, next)) return true;
    }
    return false;
  }
  const fits = word < words.length && (parts[part] === '*' || parts[part] === words[word]);
  return fits && matchesFrom(parts, part + 1, words, word + 1);
}
