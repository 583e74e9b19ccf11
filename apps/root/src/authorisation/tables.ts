import { abstractorRows, keyRows, operationsRows } from './auxiliary-rows.ts';
import { classicRows } from './classic-rows.ts';
import { cleanRows } from './clean-rows.ts';
import type { PortName } from './ports.ts';
import type { Row } from './row.ts';

/** Every route of every port. */
export const TABLES: Readonly<Record<PortName, readonly Row[]>> = {
  api: [...classicRows, ...cleanRows, ...operationsRows],
  abstractor: abstractorRows,
  key: keyRows,
};
