import { join } from 'node:path';
import type { ServiceDocument } from '@oakestra/contracts';
import { createManualClock } from '@oakestra/daemon';
import { openTestStore, recordingLogger, temporaryFolder } from '@oakestra/store/testing';
import { describe, expect, it } from 'vitest';
import {
  type AddressesSchema,
  addressesMigrations,
  openAddresses,
  pairOf,
  serviceAddressRequest,
  withServiceAddresses,
} from './index.ts';

describe('a service document', () => {
  const document = {
    ...{ microserviceID: 'x', applicationID: 'y', job_name: 'a.b.c.d', app_name: 'a', app_ns: 'b' },
    ...{ service_name: 'c', service_ns: 'd', virtualization: 'docker', image: 'i', code: 'i' },
  } satisfies ServiceDocument;

  it('shows the addresses that the service has (Q29), wished or not', async () => {
    const folder = await temporaryFolder();
    const store = await openTestStore<AddressesSchema>(join(folder.path, 'root.db'), addressesMigrations);
    const addresses = await openAddresses({ store, clock: createManualClock(), logger: recordingLogger() });
    for (const [id, wished] of [
      ['1', { RR_ip: '10.30.30.30', RR_ip_v6: null }],
      ['2', {}],
    ] as const) {
      const request = serviceAddressRequest(id, { ...document, ...wished });
      const { pairs } = addresses.reserve({ allocate: [request] });
      const shown = withServiceAddresses({ ...document, ...wished }, pairOf(pairs, request.owner));
      expect(shown.RR_ip).toBe(id === '1' ? '10.30.30.30' : '10.30.0.0');
      expect(shown.RR_ip_v6).toMatch(/^fdff:2000::1?$/);
    }
    await store.close();
    await folder.remove();
  });
});
