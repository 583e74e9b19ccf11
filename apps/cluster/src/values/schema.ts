import type { Migrations } from '@oakestra/store';

export interface ValuesSchema {
  sealed_values: {
    /** `<object id>.<version>`. */
    key: string;
    /** The content, encrypted with the key of this cluster. */
    sealed: string;
  };
}

export const valuesMigrations: Migrations = {
  '0006-sealed-values': {
    async up(db) {
      await db.schema
        .createTable('sealed_values')
        .addColumn('key', 'text', (column) => column.primaryKey())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .execute();
    },
  },
};
