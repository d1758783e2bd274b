#include "ipc/x_keys.h"

static const struct ipc_field key_certificate_fields[] = {
    IPC_NUM(struct key_certificate, U32, key),
    IPC_TEXT(struct key_certificate, chain, 65536),
    IPC_NUM(struct key_certificate, BOOL, is_default),
};
static const struct ipc_shape key_certificate_shape =
    IPC_SHAPE(struct key_certificate, key_certificate_fields);

static const struct ipc_field certificates_fields[] = {
    IPC_ITEMS(struct certificates, certificates, n_certificates, 16, &key_certificate_shape),
};
static const struct ipc_shape certificates_shape = IPC_SHAPE(struct certificates, certificates_fields);

static const struct ipc_field sign_ask_fields[] = {
    IPC_NUM(struct sign_ask, U32, key),
    IPC_NUM(struct sign_ask, U16, algorithm),
    IPC_TEXT(struct sign_ask, data, 16384),
};
static const struct ipc_shape sign_ask_shape = IPC_SHAPE(struct sign_ask, sign_ask_fields);

static const struct ipc_field signature_fields[] = {
    IPC_NUM(struct signature, U32, err),
    IPC_TEXT(struct signature, bytes, 1024),
};
static const struct ipc_shape signature_shape = IPC_SHAPE(struct signature, signature_fields);

static const struct ipc_field dkim_keys_ask_fields[] = {
    IPC_TEXT(struct dkim_keys_ask, domain, 255),
};
static const struct ipc_shape dkim_keys_ask_shape = IPC_SHAPE(struct dkim_keys_ask, dkim_keys_ask_fields);

static const struct ipc_field dkim_key_fields[] = {
    IPC_TEXT(struct dkim_key, selector, 63),
    IPC_NUM(struct dkim_key, U8, algorithm),
};
static const struct ipc_shape dkim_key_shape = IPC_SHAPE(struct dkim_key, dkim_key_fields);

static const struct ipc_field dkim_keys_fields[] = {
    IPC_ITEMS(struct dkim_keys, keys, n_keys, 8, &dkim_key_shape),
};
static const struct ipc_shape dkim_keys_shape = IPC_SHAPE(struct dkim_keys, dkim_keys_fields);

static const struct ipc_field dkim_sign_ask_fields[] = {
    IPC_TEXT(struct dkim_sign_ask, domain, 255),
    IPC_TEXT(struct dkim_sign_ask, selector, 63),
    IPC_TEXT(struct dkim_sign_ask, digest, 32),
};
static const struct ipc_shape dkim_sign_ask_shape = IPC_SHAPE(struct dkim_sign_ask, dkim_sign_ask_fields);

static const struct ipc_message x_keys_messages[] = {
    {X_KEYS_CERTIFICATES_ASK, "certificates_ask", IPC_A, IPC_REQUEST, X_KEYS_CERTIFICATES, NULL, 0, 0},
    {X_KEYS_CERTIFICATES, "certificates", IPC_B, IPC_REPLY, 0, &certificates_shape, 0, 0},
    {X_KEYS_SIGN, "sign", IPC_A, IPC_REQUEST, X_KEYS_SIGNATURE, &sign_ask_shape, 0, 0},
    {X_KEYS_SIGNATURE, "signature", IPC_B, IPC_REPLY, 0, &signature_shape, 0, 0},
    {X_KEYS_DKIM_ASK, "dkim_ask", IPC_A, IPC_REQUEST, X_KEYS_DKIM, &dkim_keys_ask_shape, 0, 0},
    {X_KEYS_DKIM, "dkim", IPC_B, IPC_REPLY, 0, &dkim_keys_shape, 0, 0},
    {X_KEYS_DKIM_SIGN, "dkim_sign", IPC_A, IPC_REQUEST, X_KEYS_SIGNATURE, &dkim_sign_ask_shape, 0, 0},
};

const struct ipc_channel x_keys_channel = {"x_keys", 1, x_keys_messages, ARRAY_LEN(x_keys_messages), 1024};
