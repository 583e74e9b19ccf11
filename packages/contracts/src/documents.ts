/** Any JSON object: documents keep the fields that we do not know (root-api 5). */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * A service (the wire says job) as the root stores it and as it travels down to the worker: every field of
 * the submitted microservice, plus those that the root derives (root-api 4.5, 6.3). Instances are kept apart.
 */
export interface ServiceDocument extends JsonObject {
  readonly microserviceID: string;
  readonly applicationID: string;
  /** `<app>.<app namespace>.<service>.<service namespace>`: unique, always three dots. */
  readonly job_name: string;
  readonly app_name: string;
  readonly app_ns: string;
  readonly service_name: string;
  readonly service_ns: string;
  /** `container` is stored as `docker`. */
  readonly virtualization: string;
  readonly image: string;
  readonly code: string;
}
