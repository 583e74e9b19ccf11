import { OakestraError } from '@oakestra/contracts';
import { describe, expect, it } from 'vitest';
import { isMissingProgram } from './missing-program.ts';
import { run } from './run.ts';

async function failureOf(promise: Promise<unknown>): Promise<OakestraError> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof OakestraError) return error;
  throw error;
}

describe('running a program', () => {
  it('gives output, error output and exit code, and passes input on', async () => {
    const result = await run('sh', ['-c', 'cat; echo problem >&2; exit 3'], {
      stdin: 'hello',
      acceptedExitCodes: [3],
    });
    expect(result).toEqual({ stdout: 'hello', stderr: 'problem\n', exitCode: 3 });
  });

  it('has no shell in between', async () => {
    expect((await run('echo', ['$HOME; ls'])).stdout).toBe('$HOME; ls\n');
  });

  it('names the Debian package of a program that is missing', async () => {
    const error = await failureOf(run('/nowhere/nft', []));
    expect(error).toMatchObject({ kind: 'unavailable', code: 'program-missing' });
    expect(error.message).toContain('apt-get install nftables');
    expect(isMissingProgram(error)).toBe(true);
    expect((await failureOf(run('no-such-program', []))).message).toContain('PATH');
  });

  it('tells what a failing program said', async () => {
    const error = await failureOf(run('sh', ['-c', 'echo no such device >&2; exit 2']));
    expect(error).toMatchObject({ code: 'program-failed', details: { exitCode: 2 } });
    expect(error.message).toContain('exit code 2: no such device');
  });

  it('hints at missing rights', async () => {
    const error = await failureOf(run('sh', ['-c', 'echo "Operation not permitted" >&2; exit 1']));
    expect(error.message).toContain('root or CAP_NET_ADMIN');
  });

  it('tells by which signal it ended', async () => {
    const error = await failureOf(run('sh', ['-c', 'kill -9 $$']));
    expect(error.message).toContain('signal SIGKILL');
  });

  it('kills it after its time', async () => {
    const error = await failureOf(run('sleep', ['60'], { timeoutMs: 50 }));
    expect(error).toMatchObject({ kind: 'timeout', code: 'program-timeout' });
  });

  it('kills it on abort, with the reason of the signal', async () => {
    const controller = new AbortController();
    const running = run('sleep', ['60'], { signal: controller.signal });
    controller.abort(new Error('the user went away'));
    await expect(running).rejects.toThrow('the user went away');
    await expect(run('true', [], { signal: controller.signal })).rejects.toThrow('the user went away');
  });

  it('does not collect output without end', async () => {
    const error = await failureOf(run('yes', [], { maxOutputBytes: 10_000 }));
    expect(error).toMatchObject({ kind: 'exhausted', code: 'program-output-too-large' });
  });

  it('survives a program that does not read its input', async () => {
    expect((await run('true', [], { stdin: 'x'.repeat(1_000_000) })).exitCode).toBe(0);
  });
});
