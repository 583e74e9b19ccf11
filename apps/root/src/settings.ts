import { defineSettings, type SettingsValues, settingType } from '@oakestra/daemon';

/** Everything that can be set at a root; flags, variables and file keys follow from the names. */
export const rootSettings = defineSettings({
  listen: { type: settingType.text(), default: '0.0.0.0', description: 'Address for users and clusters.' },
  apiPort: {
    type: settingType.port(),
    default: 10000,
    description: 'Port of the API, HTTPS and HTTP; plain HTTP is answered to this machine only.',
  },
  clusterPort: {
    type: settingType.port(),
    default: 50052,
    description: 'Port for clusters (gRPC, mutual TLS).',
  },
  auxiliaryListen: {
    type: settingType.text(),
    default: '127.0.0.1',
    description: 'Address of the ports that only parts of the original use: abstractor and key.',
  },
  abstractorPort: {
    type: settingType.port(),
    default: 11011,
    description: 'Port of the resource abstractor.',
  },
  keyPort: {
    type: settingType.port(),
    default: 10011,
    description: 'Port where original network components fetch the public key of tokens.',
  },
  allowLegacy: {
    type: settingType.list(settingType.text()),
    default: [],
    description:
      'Address ranges that may use plain HTTP, such as 192.0.2.0/24, and where clusters of the original may be. ' +
      'Passwords are readable on the way.',
  },
  adoptLegacy: {
    type: settingType.toggle(),
    default: false,
    description:
      'Adopt what clusters of the original run when they come here for the first time, from another root; default: ' +
      'it is removed, as the original does.',
  },
  corsOrigins: {
    type: settingType.list(settingType.text()),
    default: [],
    description:
      'Origins of web pages that may call the API, such as https://dashboard.example.org; with allow-legacy: all.',
  },
  adminPassword: {
    type: settingType.text(),
    isOptional: true,
    isSecret: true,
    description: 'Password of Admin at the first start; default: a random one, in the file admin-password.',
  },
  legacyAdminPassword: {
    type: settingType.toggle(),
    default: false,
    description:
      'Give Admin the password Admin at the first start, which old clients have built in. Everybody knows it.',
  },
  jwtPrivateKey: {
    type: settingType.text(),
    isOptional: true,
    isSecret: true,
    legacyEnvironment: ['JWT_PRIVATE_KEY'],
    description: 'RSA key (PEM) that signs tokens; default: one of our own, in the state folder.',
  },
  jwtPublicKey: {
    type: settingType.text(),
    isOptional: true,
    legacyEnvironment: ['JWT_PUBLIC_KEY'],
    description: 'The public half of jwt-private-key (PEM); default: derived from it.',
  },
  mailHost: {
    type: settingType.text(),
    isOptional: true,
    group: 'Mail',
    defaultFrom: ({ environment }) => (environment.MAIL_USER ? 'smtp.gmail.com' : undefined),
    description: 'SMTP server for mails to users; without one nobody can reset a password by mail.',
  },
  mailPort: {
    type: settingType.port(),
    default: 465,
    group: 'Mail',
    description: 'Port of the SMTP server.',
  },
  mailSecurity: {
    type: settingType.oneOf(['tls', 'starttls', 'none']),
    default: 'tls',
    group: 'Mail',
    description: 'How the connection is encrypted: from the first byte, after a greeting, or not at all.',
  },
  mailUser: {
    type: settingType.text(),
    isOptional: true,
    group: 'Mail',
    legacyEnvironment: ['MAIL_USER'],
    description: 'Login at the SMTP server; default: none is needed.',
  },
  mailPassword: {
    type: settingType.text(),
    isOptional: true,
    isSecret: true,
    group: 'Mail',
    legacyEnvironment: ['MAIL_PASSWORD'],
    description: 'Password of mail-user.',
  },
  mailFrom: {
    type: settingType.text(),
    isOptional: true,
    group: 'Mail',
    description: 'Sender of mails; default: mail-user.',
  },
  mailLinkBase: {
    type: settingType.text(),
    isOptional: true,
    group: 'Mail',
    description: 'Address of the dashboard, for links in mails, such as https://edge.example.org.',
  },
  stateDirectory: {
    type: settingType.text(),
    default: '/var/lib/oakestra/root',
    description: 'Where the database, the authority and the keys are kept.',
  },
  databaseUrl: {
    type: settingType.text(),
    isOptional: true,
    isSecret: true,
    description:
      'Where the data is kept: postgresql://user:password@host/database. Default: root.db in the state folder.',
  },
  sealingKeyFile: {
    type: settingType.text(),
    isOptional: true,
    description:
      'File of the keys that secrets and configs are encrypted with, the same for all roots of one database; default: sealing-keys in the state folder.',
  },
  peerPort: {
    type: settingType.port(),
    default: 10012,
    group: 'Several roots',
    description: 'Port for the other roots on the same PostgreSQL (mutual TLS).',
  },
  advertise: {
    type: settingType.text(),
    isOptional: true,
    group: 'Several roots',
    description:
      'Address where the other roots on the same PostgreSQL reach this one; default: the one it listens on, or the first of its own.',
  },
  certificateNames: {
    type: settingType.list(settingType.text()),
    default: [],
    description: 'Further host names and addresses that the certificate of this root must cover.',
  },
  restartGraceMs: {
    type: settingType.duration(),
    default: '30s',
    description: 'How long clusters wait for us after an orderly stop.',
  },
});

export type RootSettings = SettingsValues<typeof rootSettings>;
