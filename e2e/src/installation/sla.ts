/** What a test says about a service; the rest is filled in. */
export interface ServiceWish {
  /** Letters and digits; also names the application. */
  readonly name: string;
  readonly image: string;
  /** Further fields of the microservice, as in an SLA. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

const NAMESPACE = 'test';

/** An SLA with one application of one service. */
export function slaOf({ name, image, fields = {} }: ServiceWish) {
  return {
    sla_version: 'v2.0',
    customerID: 'Admin',
    applications: [
      {
        applicationID: '',
        application_name: name,
        application_namespace: NAMESPACE,
        application_desc: '',
        microservices: [
          {
            microserviceID: '',
            microservice_name: name,
            microservice_namespace: NAMESPACE,
            virtualization: 'container',
            code: image,
            memory: 32,
            vcpus: 1,
            storage: 0,
            stop_grace_seconds: 2,
            ...fields,
          },
        ],
      },
    ],
  };
}

/** The instance's name everywhere below the root, its container's id too. */
export function instanceIdOf(name: string, number: number): string {
  return `${name}.${NAMESPACE}.${name}.${NAMESPACE}.instance.${number}`;
}
