import { runtimeConformance } from '../conformance.ts';
import { startContainerdHost } from './test-support/containerd-host.ts';

const script = (text: string): readonly string[] => ['/bin/sh', '-c', text];
const untilAsked = 'trap "exit 0" TERM; while true; do sleep 0.02; done';

runtimeConformance({
  name: 'containerd',
  async setup() {
    const host = await startContainerdHost();
    return {
      open: host.openRuntime,
      image: { reference: 'tiny:1' },
      programs: {
        graceful: script(untilAsked),
        stubborn: script('trap "" TERM; while true; do sleep 0.02; done'),
        talkative: (out, err) => script(`echo ${out}; echo ${err} >&2; ${untilAsked}`),
        ends: (code) => script(`exit ${code}`),
        hungry: ['/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'],
        missing: ['no-such-program'],
      },
      logPathOf: host.logPathOf,
      readLog: host.readLog,
      leftovers: host.containerd.leftovers,
      dispose: host.containerd.dispose,
    };
  },
});
