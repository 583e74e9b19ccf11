import { createManualClock } from '@oakestra/daemon';
import type { ListeningSocket } from '@oakestra/host';
import { parseIpv4Network } from '@oakestra/netplan';
import { describe, expect, it } from 'vitest';
import { createAddressBook } from './address-book.ts';
import { createPortBook, findProgram, requireNoProgram } from './port-book.ts';

const tcp = (hostPort: number) => ({ hostPort, containerPort: 80, protocol: 'tcp' as const });

describe('the address book', () => {
  it('gives an owner one address, the preferred one when it is free', () => {
    const book = createAddressBook(parseIpv4Network('10.19.0.0/24'), createManualClock());
    expect(book.take('a')).toBe('10.19.0.2');
    expect(book.take('a', '10.19.0.9')).toBe('10.19.0.2');
    expect(book.take('b', '10.19.0.9')).toBe('10.19.0.9');
    expect(book.take('c', '10.19.0.9')).toBe('10.19.0.3');
    expect(book.take('d', '10.19.0.1')).toBe('10.19.0.4');
    expect(book.take('e', '192.0.2.1')).toBe('10.19.0.5');
  });

  it('does not give a released address to another for a while', async () => {
    const clock = createManualClock();
    const book = createAddressBook(parseIpv4Network('10.19.0.0/24'), clock);
    book.take('a');
    book.release('a');
    expect(book.take('b')).toBe('10.19.0.3');
    await clock.advance(180_000);
    expect(book.take('c')).toBe('10.19.0.2');
  });

  it('gives it back to whom it belonged, and to others when there is no other', () => {
    const book = createAddressBook(parseIpv4Network('10.19.0.0/29'), createManualClock());
    const first = book.take('a');
    book.release('a');
    expect(book.take('a', first)).toBe(first);
    book.release('a');
    const taken = ['b', 'c', 'd', 'e', 'f'].map((owner) => book.take(owner));
    expect(new Set(taken).size).toBe(5);
    expect(() => book.take('g')).toThrow(/all 5 addresses .* 10.19.0.0\/29 .* larger sub-network/);
  });

  it('starts anew with what is known', () => {
    const book = createAddressBook(parseIpv4Network('10.19.0.0/24'), createManualClock());
    book.take('a');
    book.reset(new Map([['b', '10.19.0.3']]));
    expect(book.take('c')).toBe('10.19.0.2');
    expect(book.take('b')).toBe('10.19.0.3');
  });
});

describe('the port book', () => {
  it('reserves all ports or none, and names the other instance', () => {
    const book = createPortBook();
    book.reserve('a', [tcp(80), tcp(81)]);
    expect(() => book.reserve('b', [tcp(82), tcp(81)])).toThrow(
      'port 81/tcp of this host is taken by the instance a; choose another host port, or free this one',
    );
    expect(book.ownerOf(82, 'tcp')).toBeUndefined();
    expect(book.ownerOf(81, 'udp')).toBeUndefined();
    book.reserve('a', [tcp(81), tcp(83)]);
    expect([80, 81, 83].map((port) => book.ownerOf(port, 'tcp'))).toEqual([undefined, 'a', 'a']);
    book.release('a');
    expect(book.ownerOf(81, 'tcp')).toBeUndefined();
  });

  it('sees programs that wait on a port, even those it cannot name', async () => {
    const socket: ListeningSocket = { port: 53, protocol: 'tcp', addressHex: '00000000', inode: 'x' };
    const sockets = async (protocol: string) => (protocol === 'tcp' ? [socket] : []);
    expect(await findProgram(53, 'tcp', sockets)).toEqual({ kind: 'program', program: undefined });
    expect(await findProgram(53, 'udp', sockets)).toBeUndefined();
    await expect(requireNoProgram([tcp(52), tcp(53)], sockets)).rejects.toMatchObject({
      code: 'port-taken',
      message: expect.stringContaining('port 53/tcp of this host is taken by a program outside our reach'),
    });
    await requireNoProgram([{ ...tcp(53), protocol: 'udp' }], sockets);
  });
});
