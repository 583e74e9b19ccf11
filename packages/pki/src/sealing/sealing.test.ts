import { randomBytes } from 'node:crypto';
import { Sensitive } from '@oakestra/contracts';
import { createMemoryDisk } from '@oakestra/daemon';
import { describe, expect, it } from 'vitest';
import { openSealingKeys } from './key-file.ts';
import { createSealer } from './sealer.ts';

const newKey = () => new Sensitive<Uint8Array>(randomBytes(32));
const content = Buffer.from('correct horse battery staple');
const textOf = (opened: Sensitive<Uint8Array>) => Buffer.from(opened.reveal()).toString();

describe('sealed content', () => {
  it('opens with its key, and says nothing of itself', () => {
    const sealer = createSealer([newKey()]);
    const sealed = sealer.seal(content, 'secret 1');
    expect(textOf(sealer.open(sealed, 'secret 1'))).toBe('correct horse battery staple');
    expect(Buffer.from(sealed.split('.')[1] ?? '', 'base64url').includes('horse')).toBe(false);
    expect(sealer.seal(content, 'secret 1'), 'equal contents look different').not.toBe(sealed);
    expect(JSON.stringify(sealer.open(sealed, 'secret 1'))).not.toContain('horse');
  });

  it('does not open for another purpose, nor changed, nor cut', () => {
    const sealer = createSealer([newKey()]);
    const sealed = sealer.seal(content, 'secret 1');
    const last = sealed.at(-2) === 'A' ? 'B' : 'A';
    const wrong = [sealed.slice(0, -2) + last + sealed.at(-1), sealed.slice(0, -8), `${sealer.keyId}.`];
    expect(() => sealer.open(sealed, 'secret 2')).toThrow(/cannot be opened/);
    for (const text of wrong) expect(() => sealer.open(text, 'secret 1')).toThrow(/cannot be opened/);
  });

  it('opens with an earlier key that is still here, and not without it', () => {
    const [older, newer] = [newKey(), newKey()];
    const sealed = createSealer([older]).seal(content, 'x');
    const both = createSealer([newer, older]);
    expect(textOf(both.open(sealed, 'x'))).toBe('correct horse battery staple');
    expect(both.seal(content, 'x').split('.')[0]).toBe(createSealer([newer]).keyId);
    expect(createSealer([newer]).canOpen(sealed)).toBe(false);
    expect(() => createSealer([newer]).open(sealed, 'x')).toThrow(/The key [0-9a-f]{16} is not here/);
  });
});

describe('the key file', () => {
  it('is made once and read again', async () => {
    const disk = createMemoryDisk();
    const [made] = await openSealingKeys(disk, '/keys');
    const [again] = await openSealingKeys(disk, '/keys');
    expect(made?.reveal()).toHaveLength(32);
    expect(again?.reveal()).toEqual(made?.reveal());
  });

  it('may hold several keys, and nothing else', async () => {
    const disk = createMemoryDisk();
    const lines = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));
    await disk.replaceFile('/keys', Buffer.from(`${lines.join('\n')}\n\n`));
    expect((await openSealingKeys(disk, '/keys')).map((key) => key.reveal()[0])).toEqual([1, 2]);
    for (const text of ['', 'short', `${lines[0]}\nshort`]) {
      await disk.replaceFile('/keys', Buffer.from(text));
      await expect(openSealingKeys(disk, '/keys')).rejects.toThrow('/keys must hold keys of 32 bytes');
    }
  });
});
