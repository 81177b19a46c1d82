package wire

// The type bytes of the messages that a client sends (PostgreSQL's documentation, "Message Formats").
const (
	ClientBind         byte = 'B'
	ClientClose        byte = 'C'
	ClientCopyData     byte = 'd'
	ClientCopyDone     byte = 'c'
	ClientCopyFail     byte = 'f'
	ClientDescribe     byte = 'D'
	ClientExecute      byte = 'E'
	ClientFlush        byte = 'H'
	ClientFunctionCall byte = 'F'
	ClientParse        byte = 'P'
	ClientPassword     byte = 'p' // also GSSResponse, SASLInitialResponse, SASLResponse
	ClientQuery        byte = 'Q'
	ClientSync         byte = 'S'
	ClientTerminate    byte = 'X'
)

// The type bytes of the messages that a server sends.
const (
	ServerAuthentication       byte = 'R'
	ServerBackendKeyData       byte = 'K'
	ServerBindComplete         byte = '2'
	ServerCloseComplete        byte = '3'
	ServerCommandComplete      byte = 'C'
	ServerCopyData             byte = 'd'
	ServerCopyDone             byte = 'c'
	ServerCopyInResponse       byte = 'G'
	ServerCopyOutResponse      byte = 'H'
	ServerCopyBothResponse     byte = 'W'
	ServerDataRow              byte = 'D'
	ServerEmptyQueryResponse   byte = 'I'
	ServerErrorResponse        byte = 'E'
	ServerFunctionCallResponse byte = 'V'
	ServerNegotiateProtocol    byte = 'v'
	ServerNoData               byte = 'n'
	ServerNoticeResponse       byte = 'N'
	ServerNotificationResponse byte = 'A'
	ServerParameterDescription byte = 't'
	ServerParameterStatus      byte = 'S'
	ServerParseComplete        byte = '1'
	ServerPortalSuspended      byte = 's'
	ServerReadyForQuery        byte = 'Z'
	ServerRowDescription       byte = 'T'
)

// TxStatus is the transaction status that ReadyForQuery carries.
type TxStatus byte

const (
	TxIdle   TxStatus = 'I' // not in a transaction block
	TxActive TxStatus = 'T' // in a transaction block
	TxFailed TxStatus = 'E' // in a failed transaction block: only ROLLBACK is accepted
)

// HeaderLen is the length of a message's header: the type byte and four bytes of length, which count themselves but not the type.
const HeaderLen = 5

// MaxMessageLen is the largest length field that PostgreSQL accepts from a client (PQ_LARGE_MESSAGE_LIMIT: 1 GB - 1).
const MaxMessageLen = 0x3fffffff
