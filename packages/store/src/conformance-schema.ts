import type { Migrations } from './migrations.ts';

/** The tables of the suite. */
export interface ConformanceSchema {
  readonly boxes: {
    readonly id: string;
    readonly label: string;
    readonly size: number;
    readonly weight: number | null;
  };
  readonly items: { readonly id: string; readonly box: string; readonly position: number };
}

/** The migrations of the suite. */
export const conformanceMigrations: Migrations = {
  '0001-boxes': {
    async up(db) {
      await db.schema
        .createTable('boxes')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('label', 'text', (column) => column.notNull().unique())
        .addColumn('size', 'bigint', (column) => column.notNull())
        .addColumn('weight', 'real')
        .execute();
    },
  },
  '0002-items': {
    async up(db) {
      await db.schema
        .createTable('items')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('box', 'text', (column) => column.notNull().references('boxes.id').onDelete('cascade'))
        .addColumn('position', 'integer', (column) => column.notNull())
        .execute();
    },
  },
};
