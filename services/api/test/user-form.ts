/** The bytes of a PNG of one pixel. */
export const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** A good form of a new user, with changes; undefined leaves a field out. */
export function userForm(changes: { email?: string; name?: string; avatar?: File } = {}): FormData {
  const form = new FormData();
  const fields = {
    email: 'ada@example.org',
    name: 'Ada',
    avatar: new File([pixel], '../../../etc/ada.png', { type: 'image/png' }),
    ...changes,
  };
  if (fields.email !== undefined) form.set('email', fields.email);
  if (fields.name !== undefined) form.set('name', fields.name);
  if (fields.avatar !== undefined) form.set('avatar', fields.avatar);
  return form;
}
