import { count, id, instant, json, longText, reference, text } from './column.ts'
import { table } from './table.ts'

/** The server's own records: the audit log, idempotency keys, secrets. */

/** Users and tokens are stored by name, because an entry outlives them. */
export const audit = table(
  {
    id: id(),
    at: instant(),
    user_id: reference().orNull(),
    who: text(50).orNull(),
    by_kind: text(12).orNull(),
    by_name: text(100).orNull(),
    operation: text(50),
    object: longText(),
    status: count(),
    address: text(50).orNull(),
    request_id: text(50),
  },
  { indexes: { audit_at: ['at'], audit_user: ['user_id', 'id'] } },
)

/** The response to a request with an Idempotency-Key, written in the transaction of its effect. */
export const idempotencyKeys = table(
  {
    user_id: reference(),
    key: text(255),
    fingerprint: text(64),
    status: count(),
    headers: json(2_000),
    body: longText(),
    created_at: instant(),
  },
  {
    primaryKey: { idempotency_keys_key: ['user_id', 'key'] },
    indexes: { idempotency_keys_created_at: ['created_at'] },
  },
)

/** Secrets that all replicas share, such as the key that signs links. */
export const secrets = table({ name: text(50), value: text(500) }, { primaryKey: 'name' })
