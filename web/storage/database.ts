/** The browser's database, or a map in memory if there is none, as in some private windows. */

const STORES = ['conversations', 'images', 'batches'] as const;
export type StoreName = (typeof STORES)[number];

export interface Database {
  /** False if all data is lost when the page is closed. */
  readonly isKept: boolean;
  all(store: StoreName): Promise<unknown[]>;
  put(store: StoreName, key: string, value: unknown): Promise<void>;
  remove(store: StoreName, key: string): Promise<void>;
}

export async function openDatabase(name = 'cogvlm2'): Promise<Database> {
  try {
    return kept(await open(name));
  } catch {
    return inMemory();
  }
}

function open(name: string): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 3);
  opening.onupgradeneeded = () => {
    const { result, transaction } = opening;
    // The name of the store up to version 2.
    if (transaction && result.objectStoreNames.contains('pictures'))
      transaction.objectStore('pictures').name = 'images';
    for (const store of STORES) if (!result.objectStoreNames.contains(store)) result.createObjectStore(store);
  };
  return new Promise((resolve, reject) => {
    opening.onsuccess = () => {
      // A newer version of the page in another tab must change the layout.
      opening.result.onversionchange = () => opening.result.close();
      resolve(opening.result);
    };
    opening.onerror = () => reject(opening.error);
    opening.onblocked = () => reject(new Error('blocked'));
  });
}

function kept(database: IDBDatabase): Database {
  const run = <T>(store: StoreName, mode: IDBTransactionMode, act: (of: IDBObjectStore) => IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const asked = act(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(asked.result);
      // A full disk is reported here, not by the request.
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? asked.error);
    });
  return {
    isKept: true,
    all: (store) => run(store, 'readonly', (of) => of.getAll()),
    put: async (store, key, value) => void (await run(store, 'readwrite', (of) => of.put(value, key))),
    remove: async (store, key) => void (await run(store, 'readwrite', (of) => of.delete(key))),
  };
}

export function inMemory(): Database {
  const stores = new Map(STORES.map((store) => [store, new Map<string, unknown>()]));
  return {
    isKept: false,
    all: async (store) => [...(stores.get(store)?.values() ?? [])],
    put: async (store, key, value) => void stores.get(store)?.set(key, value),
    remove: async (store, key) => void stores.get(store)?.delete(key),
  };
}
