import { expect, it } from 'vitest';
import { numericUser, resolveUser } from './image-user.ts';

const files = {
  passwd:
    '# comment\nroot:x:0:0:root:/root:/bin/sh\nana:x:1000:100:Ana:/home/ana:/bin/sh\nbroken line\n77:x:5:6::/:\n',
  group: 'root:x:0:\nusers:x:100:\ncrew:x:200:ben,ana\nempty\nlast:x:300:ana',
};
const resolve = (user: string) => resolveUser(user, files, 'shop:1');

it.each(['', '0', 'root', '0:0', 'root:root', 'root:0'])('knows "%s" to be root without looking', (user) => {
  expect(numericUser(user)).toEqual({ uid: 0, gid: 0 });
  expect(resolveUser(user, { passwd: '', group: '' }, 'scratch')).toEqual({ uid: 0, gid: 0 });
});

it('lets numbers pass', () => {
  expect(numericUser('12:34')).toEqual({ uid: 12, gid: 34, additionalGids: [34] });
  expect(numericUser('12')).toBeUndefined();
  expect(numericUser('ana:34')).toBeUndefined();
  expect(resolveUser('12', { passwd: '', group: '' }, 'scratch')).toEqual({
    uid: 12,
    gid: 0,
    additionalGids: [0],
  });
});

it('finds names, their group and the groups that list them', () => {
  expect(resolve('ana')).toEqual({ uid: 1000, gid: 100, additionalGids: [100, 200, 300] });
  expect(resolve('1000')).toEqual({ uid: 1000, gid: 100, additionalGids: [100, 200, 300] });
});

it('takes a given group instead of all others', () => {
  expect(resolve('ana:crew')).toEqual({ uid: 1000, gid: 200, additionalGids: [200] });
  expect(resolve('9:crew')).toEqual({ uid: 9, gid: 200, additionalGids: [200] });
  expect(resolve('ana:9')).toEqual({ uid: 1000, gid: 9, additionalGids: [9] });
  expect(resolve('ana:')).toEqual(resolve('ana'));
});

it('takes a name made of digits for the name first', () => {
  expect(resolve('77')).toMatchObject({ uid: 5, gid: 6 });
});

it.each(['ben', 'ana:nobody', '4294967296', '-1'])('does not know "%s"', (user) => {
  expect(() => resolve(user)).toThrow(expect.objectContaining({ code: 'user-not-found' }));
});
