#include "ipc/doctor_keys.h"

#define KEY_ID_MAX 320

static const struct ipc_field doctor_key_list_fields[] = {
    IPC_TEXT(struct doctor_key_list, after, KEY_ID_MAX),
};
static const struct ipc_shape doctor_key_list_shape =
    IPC_SHAPE(struct doctor_key_list, doctor_key_list_fields);

static const struct ipc_field doctor_key_fields[] = {
    IPC_NUM(struct doctor_key, U32, err),
    IPC_TEXT(struct doctor_key, id, KEY_ID_MAX),
    IPC_TEXT(struct doctor_key, domain, 255),
    IPC_TEXT(struct doctor_key, selector, 63),
    IPC_ENUM(struct doctor_key, U8, algorithm, DKIM_KEY_ED25519),
    IPC_ENUM(struct doctor_key, U8, state, DKIM_KEY_RESTING),
    IPC_NUM(struct doctor_key, I64, made_at),
    IPC_NUM(struct doctor_key, I64, state_at),
    IPC_TEXT(struct doctor_key, record, 2048),
};
static const struct ipc_shape doctor_key_shape = IPC_SHAPE(struct doctor_key, doctor_key_fields);

static const struct ipc_field doctor_key_make_fields[] = {
    IPC_TEXT(struct doctor_key_make, domain, 255),
    IPC_TEXT(struct doctor_key_make, selector, 63),
    IPC_ENUM(struct doctor_key_make, U8, algorithm, DKIM_KEY_ED25519),
    IPC_NUM(struct doctor_key_make, I64, now),
};
static const struct ipc_shape doctor_key_make_shape =
    IPC_SHAPE(struct doctor_key_make, doctor_key_make_fields);

static const struct ipc_field doctor_key_import_fields[] = {
    IPC_TEXT(struct doctor_key_import, domain, 255),
    IPC_TEXT(struct doctor_key_import, selector, 63),
    IPC_NUM(struct doctor_key_import, I64, now),
};
static const struct ipc_shape doctor_key_import_shape =
    IPC_SHAPE(struct doctor_key_import, doctor_key_import_fields);

static const struct ipc_field doctor_key_set_fields[] = {
    IPC_TEXT(struct doctor_key_set, id, KEY_ID_MAX),
    IPC_ENUM(struct doctor_key_set, U8, state, DKIM_KEY_RESTING),
    IPC_NUM(struct doctor_key_set, I64, now),
};
static const struct ipc_shape doctor_key_set_shape = IPC_SHAPE(struct doctor_key_set, doctor_key_set_fields);

static const struct ipc_field doctor_key_remove_fields[] = {
    IPC_TEXT(struct doctor_key_remove, id, KEY_ID_MAX),
};
static const struct ipc_shape doctor_key_remove_shape =
    IPC_SHAPE(struct doctor_key_remove, doctor_key_remove_fields);

static const struct ipc_field doctor_key_done_fields[] = {
    IPC_NUM(struct doctor_key_done, U32, err),
    IPC_TEXT(struct doctor_key_done, text, TEXT_MAX),
};
static const struct ipc_shape doctor_key_done_shape =
    IPC_SHAPE(struct doctor_key_done, doctor_key_done_fields);

static const struct ipc_field doctor_certificate_fields[] = {
    IPC_TEXT(struct doctor_certificate, spki_sha256, 32),
};
static const struct ipc_shape doctor_certificate_shape =
    IPC_SHAPE(struct doctor_certificate, doctor_certificate_fields);

static const struct ipc_field doctor_certificates_fields[] = {
    IPC_ITEMS(struct doctor_certificates, certificates, n_certificates, 64, &doctor_certificate_shape),
};
static const struct ipc_shape doctor_certificates_shape =
    IPC_SHAPE(struct doctor_certificates, doctor_certificates_fields);

static const struct ipc_message doctor_keys_messages[] = {
    {DOCTOR_KEYS_LIST, "list", IPC_A, IPC_REQUEST, DOCTOR_KEYS_ROW, &doctor_key_list_shape, 0, 0},
    {DOCTOR_KEYS_ROW, "row", IPC_B, IPC_REPLY, 0, &doctor_key_shape, 0, 0},
    {DOCTOR_KEYS_MAKE, "make", IPC_A, IPC_REQUEST, DOCTOR_KEYS_DONE, &doctor_key_make_shape, 0, 0},
    {DOCTOR_KEYS_SET, "set", IPC_A, IPC_REQUEST, DOCTOR_KEYS_DONE, &doctor_key_set_shape, 0, 0},
    {DOCTOR_KEYS_REMOVE, "remove", IPC_A, IPC_REQUEST, DOCTOR_KEYS_DONE, &doctor_key_remove_shape, 0, 0},
    {DOCTOR_KEYS_DONE, "done", IPC_B, IPC_REPLY, 0, &doctor_key_done_shape, 0, 0},
    {DOCTOR_KEYS_CERTIFICATES_ASK, "certificates_ask", IPC_A, IPC_REQUEST, DOCTOR_KEYS_CERTIFICATES, NULL, 0,
     0},
    {DOCTOR_KEYS_CERTIFICATES, "certificates", IPC_B, IPC_REPLY, 0, &doctor_certificates_shape, 0, 0},
    {DOCTOR_KEYS_IMPORT, "import", IPC_A, IPC_REQUEST, DOCTOR_KEYS_DONE, &doctor_key_import_shape, 1, 1},
};

const struct ipc_channel doctor_keys_channel = {"doctor_keys", 1, doctor_keys_messages,
                                                ARRAY_LEN(doctor_keys_messages), 64};
