import { describe, expect, it } from 'vitest';
import { commandHelp, findCommand } from './commands.ts';

describe('the commands of the dispatcher', () => {
  it.each(['up', 'down', 'root', 'cluster', 'worker'])('knows and shows %s', (name) => {
    expect(findCommand(name)).toBeDefined();
    expect(commandHelp()).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  it('knows what only our own programs start, and does not show it', () => {
    expect(findCommand('image-pull')?.bundle).toBe('image-pull');
    expect(commandHelp()).not.toContain('image-pull');
  });

  it('knows nothing else', () => {
    expect(findCommand('toString')).toBeUndefined();
  });
});
