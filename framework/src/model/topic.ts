/** Whether a topic pattern matches a routing key: words by dots, `*` is one word, `#` any number of words. */
export function topicMatches(pattern: string, routingKey: string): boolean {
  return matches(wordsOf(pattern), 0, wordsOf(routingKey), 0);
}

/** The empty key has no words. */
function wordsOf(key: string): string[] {
  return key === '' ? [] : key.split('.');
}

function matches(pattern: readonly string[], p: number, key: readonly string[], k: number): boolean {
  if (p === pattern.length) return k === key.length;
  if (pattern[p] === '#')
    return matches(pattern, p + 1, key, k) || (k < key.length && matches(pattern, p, key, k + 1));
  return (
    k < key.length && (pattern[p] === '*' || pattern[p] === key[k]) && matches(pattern, p + 1, key, k + 1)
  );
}
