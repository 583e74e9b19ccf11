import { systemClock } from '@oakestra/daemon';
import { runtimeConformance } from '../conformance.ts';
import { createFakeMachine } from './fake-machine.ts';
import { commandPrograms } from './fake-program.ts';
import { createFakeRuntime } from './fake-runtime.ts';

runtimeConformance({
  name: 'the fake runtime',
  async setup() {
    const machine = createFakeMachine({
      clock: systemClock(),
      latencyMs: 1,
      programs: (spec) => {
        const [name, out, err] = spec.command;
        return name === 'talk'
          ? { ...commandPrograms({ ...spec, command: [] }), output: `${out}\n${err}\n` }
          : commandPrograms(spec);
      },
    });
    return {
      open: () => createFakeRuntime(machine),
      image: { reference: 'tiny' },
      programs: {
        graceful: ['graceful', '1'],
        stubborn: ['stubborn'],
        talkative: (out, err) => ['talk', out, err],
        ends: (code) => ['exit', String(code)],
        hungry: ['hungry', '65'],
        missing: ['missing'],
      },
      logPathOf: (id) => `/logs/${id}`,
      readLog: async (path) => machine.log(path),
      leftovers: async () => [...machine.instances.keys()],
      dispose: async () => undefined,
    };
  },
});
