import type { CallOptions, Connection } from './connection.ts';
import type { Key, NewKey } from './schemas.ts';
/** Who may ask; for administrators. */
export declare class Keys {
    #private;
    constructor(server: Connection);
    list(options?: CallOptions): Promise<Key[]>;
    /** Makes one: `key` is the secret, which is shown this once. Errors: `forbidden`, `invalid_request`. */
    create(wanted: NewKey, options?: CallOptions): Promise<{
        key: string;
        entry: Key;
    }>;
    /** Takes one away that was made so. Errors: `not_found`, `forbidden`. */
    revoke(id: string, options?: CallOptions): Promise<void>;
}
