import { seededRandom } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answersOf } from '../answers.ts';
import { createPorts, type PortName } from '../ports.ts';
import { TABLES } from '../tables.ts';
import { createWorld, type World, type WorldOptions } from '../world.ts';

const ENOUGH_MS = 120_000;

/**
 * Compares every answer with the recorded ones, which are the same for all engines. After a change that is meant:
 * `npx vitest run --project unit apps/root/src/authorisation/answers.test.ts -u`, and read the difference.
 */
export function describeAnswers(engine: string, open?: WorldOptions['open']): void {
  describe(`the answers on ${engine}`, () => {
    let world: World;
    let ports: Awaited<ReturnType<typeof createPorts>>;

    // One for each port: logins last ten minutes of its clock, which goes on with each request.
    beforeEach(async () => {
      world = await createWorld({ random: seededRandom(1), ...(open === undefined ? {} : { open }) });
      ports = await createPorts(world);
    });
    afterEach(async () => {
      await Promise.all(Object.values(ports ?? {}).map(({ app }) => app.close()));
      await world.close();
    });

    it.each(Object.keys(TABLES) as PortName[])(
      'of the port %s are the recorded ones',
      async (name) => {
        const answers = await answersOf(world, ports[name], TABLES[name]);
        await expect(answers).toMatchFileSnapshot(`recorded/${name}.txt`);
      },
      ENOUGH_MS,
    );
  });
}
