#include "ipc/doctor_nameserver.h"

static const struct ipc_field nameserver_record_fields[] = {
    IPC_TEXT(struct nameserver_record, name, 255),
    IPC_NUM(struct nameserver_record, U16, type),
    IPC_NUM(struct nameserver_record, U32, ttl_s),
    IPC_TEXT(struct nameserver_record, rdata, NAMESERVER_RDATA_MAX),
};
static const struct ipc_shape nameserver_record_shape =
    IPC_SHAPE(struct nameserver_record, nameserver_record_fields);

static const struct ipc_field nameserver_put_fields[] = {
    IPC_NUM(struct nameserver_put, U32, serial),
    IPC_NUM(struct nameserver_put, BOOL, first),
    IPC_NUM(struct nameserver_put, BOOL, last),
    IPC_ITEMS(struct nameserver_put, records, n_records, NAMESERVER_PAGE, &nameserver_record_shape),
};
static const struct ipc_shape nameserver_put_shape = IPC_SHAPE(struct nameserver_put, nameserver_put_fields);

static const struct ipc_field nameserver_taken_fields[] = {
    IPC_NUM(struct nameserver_taken, U32, err),
    IPC_TEXT(struct nameserver_taken, text, TEXT_MAX),
};
static const struct ipc_shape nameserver_taken_shape =
    IPC_SHAPE(struct nameserver_taken, nameserver_taken_fields);

static const struct ipc_message doctor_nameserver_messages[] = {
    {DOCTOR_NAMESERVER_PUT, "put", IPC_A, IPC_REQUEST, DOCTOR_NAMESERVER_TAKEN, &nameserver_put_shape, 0, 0},
    {DOCTOR_NAMESERVER_TAKEN, "taken", IPC_B, IPC_REPLY, 0, &nameserver_taken_shape, 0, 0},
};

const struct ipc_channel doctor_nameserver_channel = {"doctor_nameserver", 1, doctor_nameserver_messages,
                                                      ARRAY_LEN(doctor_nameserver_messages), 4};
