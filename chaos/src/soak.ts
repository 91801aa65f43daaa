export async function soak(_options: object): Promise<boolean> {
  return false;
}
