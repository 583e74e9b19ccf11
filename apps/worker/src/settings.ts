import { hostname } from 'node:os';
import { labelFault, MOST_LABELS } from '@oakestra/contracts';
import { defineSettings, type SettingsValues, settingType } from '@oakestra/daemon';
import * as z from 'zod';

/** Registries that need more than the defaults, by host. Only in the file: it holds passwords. */
const registriesSchema = z.record(
  z.string(),
  z.strictObject({
    plainHttp: z.boolean().optional(),
    caFile: z.string().optional(),
    mirrors: z.array(z.string()).optional(),
    username: z.string().optional(),
    password: z.string().optional(),
  }),
);

/** Everything that can be set at a worker; flags, variables and file keys follow from the names. */
export const workerSettings = defineSettings({
  name: {
    type: settingType.text(),
    defaultFrom: () => hostname(),
    description: 'Name of this worker in its cluster; default: the host name.',
  },
  labels: {
    type: settingType.pairs({ check: labelFault, most: MOST_LABELS }),
    default: {},
    description:
      'What distinguishes this worker, such as zone=north,gpu=yes; what is set over the API of the root wins.',
  },
  clusterAddress: {
    type: settingType.text(),
    default: '127.0.0.1',
    description: 'Host name or address of the cluster.',
    legacyEnvironment: ['CLUSTER_ADDRESS'],
  },
  clusterApiPort: {
    type: settingType.port(),
    default: 10100,
    description: 'Port of the API of the cluster.',
  },
  stateDirectory: {
    type: settingType.text(),
    default: '/var/lib/oakestra/worker',
    description: 'Where the journal and the output of the instances are kept.',
  },
  tlsDirectory: {
    type: settingType.text(),
    isOptional: true,
    description: 'Folder of ca.pem, cert.pem and key.pem; default: "tls" in the state directory.',
  },
  containerdSocket: {
    type: settingType.text(),
    default: '/run/containerd/containerd.sock',
    description: 'Socket of the containerd that runs the instances.',
  },
  containerdNamespace: {
    type: settingType.text(),
    default: 'oakestra',
    description: 'Namespace of containerd for everything of ours.',
  },
  cgroupParent: {
    type: settingType.text(),
    default: '/oakestra',
    description: 'Control group that all instances are in.',
  },
  subnet: {
    type: settingType.text(),
    default: '10.19.0.0/16',
    description: 'Where the instances get their addresses from; /8 to /30.',
  },
  bridgeName: { type: settingType.text(), default: 'oak0', description: 'Bridge of the instances.' },
  networkPrefix: {
    type: settingType.text(),
    default: 'oak',
    description: 'Begins the names of network namespaces; workers on one machine need different ones.',
  },
  keepaliveMs: {
    type: settingType.duration(),
    default: '2s',
    description:
      'How often the cluster hears from us at least; a silent worker is noticed after one and a half.',
  },
  usageIntervalMs: {
    type: settingType.duration(),
    default: '10s',
    description: 'How often the use of resources is measured.',
  },
  restartGraceMs: {
    type: settingType.duration(),
    default: '30s',
    description: 'How long the cluster waits for us after an orderly stop.',
  },
  logMaxSizeBytes: {
    type: settingType.byteSize(),
    default: '10MiB',
    description: 'Size at which the output of an instance is rotated; three files are kept.',
  },
  registries: {
    type: settingType.schema(registriesSchema, { isJson: true, placeholder: '<registries>' }),
    default: {},
    description: 'How single registries are reached: plainHttp, caFile, mirrors, username, password.',
    isSecret: true,
  },
});

export type WorkerSettings = SettingsValues<typeof workerSettings>;

/** Where instances find the files of their secrets: in memory, and apart from other workers of this machine. */
export const valueFolderOf = ({ networkPrefix }: Pick<WorkerSettings, 'networkPrefix'>): string =>
  `/run/oakestra/${networkPrefix}-values`;
