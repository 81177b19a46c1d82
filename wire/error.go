package wire

import (
	"bytes"
	"fmt"
)

// Code is an SQLSTATE (PostgreSQL's documentation, "PostgreSQL Error Codes").
type Code string

// The codes that poolerd sends by itself.
const (
	CodeSuccessfulCompletion       Code = "00000"
	CodeUnableToEstablish          Code = "08001" // sqlclient_unable_to_establish_sqlconnection
	CodeConnectionFailure          Code = "08006"
	CodeTransactionUnknown         Code = "08007" // transaction_resolution_unknown
	CodeProtocolViolation          Code = "08P01"
	CodeFeatureNotSupported        Code = "0A000"
	CodeInvalidParameterValue      Code = "22023"
	CodeInFailedTransaction        Code = "25P02"
	CodeUndefinedPreparedStatement Code = "26000"
	CodeInvalidAuthorization       Code = "28000"
	CodeInvalidPassword            Code = "28P01"
	CodeUndefinedDatabase          Code = "3D000"
	CodeInsufficientPrivilege      Code = "42501"
	CodeSyntaxError                Code = "42601"
	CodeNameTooLong                Code = "42622"
	CodeUndefinedObject            Code = "42704"
	CodeDuplicatePreparedStatement Code = "42P05"
	CodeInsufficientResources      Code = "53000"
	CodeTooManyConnections         Code = "53300"
	CodeConfigurationLimitExceeded Code = "53400"
	CodeProgramLimitExceeded       Code = "54000"
	CodeQueryCanceled              Code = "57014"
	CodeAdminShutdown              Code = "57P01"
	CodeCannotConnectNow           Code = "57P03"
	CodePostgRESTTooManyRequests   Code = "PT429" // PostgREST answers with HTTP 429
	CodeInternalError              Code = "XX000"
)

// Error is an error as a client sees it.
type Error struct {
	Severity string // ERROR, FATAL or PANIC
	Code     Code
	Message  string
	Detail   string
	Hint     string
	Routine  string // PostgreSQL's, by which some drivers tell errors of one code apart
}

// Errorf makes an error after which the session goes on.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Severity: "ERROR", Code: code, Message: fmt.Sprintf(format, args...)}
}

// Fatalf makes an error that ends the session.
func Fatalf(code Code, format string, args ...any) *Error {
	return &Error{Severity: "FATAL", Code: code, Message: fmt.Sprintf(format, args...)}
}

// Fatal gives e as an error that ends the session.
func (e *Error) Fatal() *Error {
	fatal := *e
	fatal.Severity = "FATAL"
	return &fatal
}

func (e *Error) Error() string {
	return e.Severity + ": " + e.Message + " (SQLSTATE " + string(e.Code) + ")"
}

// Append appends e as an ErrorResponse.
func (e *Error) Append(dst []byte) []byte { return e.append(dst, ServerErrorResponse) }

// AppendNotice appends e as a NoticeResponse.
func (e *Error) AppendNotice(dst []byte) []byte { return e.append(dst, ServerNoticeResponse) }

func (e *Error) append(dst []byte, typ byte) []byte {
	dst, at := begin(dst, typ)
	for _, f := range [...]struct {
		name  byte
		value string
	}{
		{'S', e.Severity}, {'V', e.Severity}, {'C', string(e.Code)}, {'M', e.Message}, {'D', e.Detail}, {'H', e.Hint}, {'R', e.Routine},
	} {
		if f.value != "" {
			dst = appendString(append(dst, f.name), f.value)
		}
	}
	return end(append(dst, 0), at)
}

// ParseError reads the body of an ErrorResponse or NoticeResponse. Fields that Error has no place for are left out.
func ParseError(body []byte) (Error, error) {
	var e Error
	for len(body) > 0 && body[0] != 0 {
		value, rest, ok := CString(body[1:])
		if !ok {
			return e, fmt.Errorf("error field %q has no end", body[0])
		}
		switch body[0] {
		case 'S':
			if e.Severity == "" {
				e.Severity = string(value)
			}
		case 'V': // the severity, never translated
			e.Severity = string(value)
		case 'C':
			e.Code = Code(value)
		case 'M':
			e.Message = string(value)
		case 'D':
			e.Detail = string(value)
		case 'H':
			e.Hint = string(value)
		case 'R':
			e.Routine = string(value)
		}
		body = rest
	}
	if len(body) == 0 {
		return e, fmt.Errorf("error message has no end")
	}
	return e, nil
}

// ErrorCode gives the SQLSTATE in the body of an ErrorResponse, nil if it has none, without allocating.
func ErrorCode(body []byte) []byte { return errorField(body, 'C') }

// Ends tells whether the body of an ErrorResponse says that the server ends the connection.
func Ends(body []byte) bool {
	v := errorField(body, 'V')
	return bytes.Equal(v, []byte("FATAL")) || bytes.Equal(v, []byte("PANIC"))
}

func errorField(body []byte, name byte) []byte {
	for len(body) > 0 && body[0] != 0 {
		value, rest, ok := CString(body[1:])
		if !ok {
			return nil
		}
		if body[0] == name {
			return value
		}
		body = rest
	}
	return nil
}
