import { userNotFound } from '../runtime-errors.ts';
import type { OciUser } from './oci-types.ts';

/** The two files of an image that give names to users and groups; empty when it has none. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

const superuser: OciUser = { uid: 0, gid: 0 };
const largestId = 2 ** 31 - 1;

/** `undefined` when the files of the image are needed to say who it is; else the answer. */
export function numericUser(user: string): OciUser | undefined {
  if (['', '0', 'root', '0:0', 'root:root', '0:root', 'root:0'].includes(user)) return superuser;
  const { name, group } = split(user);
  const uid = idOf(name);
  const gid = group === undefined ? undefined : idOf(group);
  return uid === undefined || gid === undefined ? undefined : { uid, gid, additionalGids: [gid] };
}

/**
 * Who `USER` of an image means: names are looked up, numbers stand for themselves. Without a group it is the
 * user's own, together with all groups that list the user.
 */
export function resolveUser(user: string, files: AccountFiles, image: string): OciUser {
  const known = numericUser(user);
  if (known !== undefined) return known;
  const { name, group } = split(user);
  const account = accountOf(name, files);
  const uid = account?.uid ?? idOf(name);
  if (uid === undefined) throw userNotFound(user, image);
  if (group !== undefined) {
    const gid = idOf(group) ?? groupsOf(files).find((entry) => entry.name === group)?.gid;
    if (gid === undefined) throw userNotFound(user, image);
    return { uid, gid, additionalGids: [gid] };
  }
  const gid = account?.gid ?? 0;
  const memberOf = groupsOf(files)
    .filter((entry) => account !== undefined && entry.members.includes(account.name))
    .map((entry) => entry.gid);
  // The own group is among the additional ones, too: a program could otherwise drop it to evade a denial.
  return { uid, gid, additionalGids: [...new Set([gid, ...memberOf])] };
}

function split(user: string): { readonly name: string; readonly group: string | undefined } {
  const colon = user.indexOf(':');
  if (colon < 0) return { name: user, group: undefined };
  const group = user.slice(colon + 1);
  return { name: user.slice(0, colon) || '0', group: group === '' ? undefined : group };
}

function idOf(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= largestId ? id : undefined;
}

function accountOf(name: string, files: AccountFiles) {
  const accounts = files.passwd.split('\n').flatMap((line) => {
    const [login, , uidText, gidText] = line.trim().split(':');
    const uid = idOf(uidText ?? '');
    const gid = idOf(gidText ?? '');
    return login && uid !== undefined && gid !== undefined ? [{ name: login, uid, gid }] : [];
  });
  const number = idOf(name);
  return (
    accounts.find((account) => account.name === name) ??
    accounts.find((account) => number !== undefined && account.uid === number)
  );
}

function groupsOf(files: AccountFiles) {
  return files.group.split('\n').flatMap((line) => {
    const [name, , gidText, members] = line.trim().split(':');
    const gid = idOf(gidText ?? '');
    return name && gid !== undefined ? [{ name, gid, members: (members ?? '').split(',') }] : [];
  });
}
