import { labelFault, MOST_LABELS } from '@oakestra/contracts';
import { defineSettings, type SettingsValues, settingType } from '@oakestra/daemon';

/** Everything that can be set at a cluster; flags, variables and file keys follow from the names. */
export const clusterSettings = defineSettings({
  name: {
    type: settingType.text(),
    default: 'cluster',
    description: 'Name of this cluster, unique at its root.',
    legacyEnvironment: ['CLUSTER_NAME'],
    flagAliases: ['cluster-name'],
  },
  location: {
    type: settingType.text(),
    default: 'location-unknown',
    description: 'Where it stands: "<latitude>,<longitude>,<radius in m>" or any text.',
    legacyEnvironment: ['CLUSTER_LOCATION'],
  },
  labels: {
    type: settingType.pairs({ check: labelFault, most: MOST_LABELS }),
    default: {},
    description:
      'What distinguishes this cluster, such as zone=north,gpu=yes; what is set over the API of the root wins.',
  },
  root: {
    type: settingType.list(settingType.text()),
    default: ['127.0.0.1:50052'],
    description: 'Where the root takes clusters, "host:port"; several are tried in turn.',
  },
  rootProxy: {
    type: settingType.url({ protocols: ['http', 'https'] }),
    isOptional: true,
    isSecret: true,
    description:
      'HTTP proxy towards the root, http(s)://user:password@host:port, where only such a one leads out.',
  },
  rootProxyCaFile: {
    type: settingType.text(),
    isOptional: true,
    description: 'Certificates (PEM file) to trust at an https proxy beside those of the system.',
  },
  listen: {
    type: settingType.text(),
    default: '0.0.0.0',
    description: 'Address for workers to reach us at.',
  },
  apiPort: { type: settingType.port(), default: 10100, description: 'Port for the registration of workers.' },
  mqttPort: { type: settingType.port(), default: 10003, description: 'Port of the embedded MQTT broker.' },
  advertise: {
    type: settingType.text(),
    isOptional: true,
    description:
      'Address that the root should show for this cluster; default: where its connection comes from.',
  },
  stateDirectory: {
    type: settingType.text(),
    default: '/var/lib/oakestra/cluster',
    description: 'Where the database is kept.',
  },
  tlsDirectory: {
    type: settingType.text(),
    isOptional: true,
    description: 'Folder of ca.pem, cert.pem and key.pem; default: "tls" in the state directory.',
  },
  restartGraceMs: {
    type: settingType.duration(),
    default: '30s',
    description: 'How long root and workers wait for us after an orderly stop.',
  },
});

export type ClusterSettings = SettingsValues<typeof clusterSettings>;
