package record

import (
	"fmt"
	"time"

	"poolerd/wire"
)

const (
	magic   = "poolerd recording\n"
	version = 1

	// mostBody bounds a record's body: what is longer was not written by a Writer.
	mostBody = 4 << 20
	// LargestMessage is the size in bytes, header included, up to which a message is recorded with its contents; of longer ones only the head is known.
	LargestMessage = 1 << 20
)

// Mode says what becomes of parameters.
type Mode uint8

const (
	Hashed Mode = iota // stand-ins; the default
	Kept               // as they were, secrets excepted
)

func (m Mode) String() string {
	switch m {
	case Hashed:
		return "hashed"
	case Kept:
		return "kept"
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// Header is what a recording begins with.
type Header struct {
	Mode  Mode
	Start time.Time // the times of records count from here
}

// Kind is what a record tells of.
type Kind byte

// The kinds of records.
const (
	KindStatement Kind = 'T'
	KindOpened    Kind = 'O'
	KindMessage   Kind = 'M'
	KindReady     Kind = 'R'
	KindCopyIn    Kind = 'G'
	KindLeftOut   Kind = 'L'
	KindClosed    Kind = 'X'
	KindEnd       Kind = 'Z'
)

// Record is one record of a file. Which fields are set depends on Kind; the package's documentation tells.
type Record struct {
	Kind    Kind
	Session uint64        // numbered by the pooler, in the order of the logins
	At      time.Duration // since the recording's start, in whole microseconds

	Statement Statement // KindStatement
	User      string    // KindOpened
	Database  string    // KindOpened
	Message   Message   // KindMessage
	Status    wire.TxStatus
	Code      string // SQLSTATE; KindReady and KindClosed
	LeftOut   uint64 // KindLeftOut: messages of the session; KindEnd: of all
}

// Statement is a text, as Parse and Query have it.
type Statement struct {
	Text     string   // empty when it is withheld
	Types    []uint32 // OIDs of the parameters, as given by Parse
	Withheld bool     // of the text nothing but its length is known
	Size     int      // bytes of the text
}

// Message is what a client sent. Which fields are set depends on Type; the package's documentation tells.
type Message struct {
	Type      byte
	Size      int    // bytes of the whole message: Bind, FunctionCall, CopyFail
	Kind      byte   // Describe and Close: 'S' for a statement, 'P' for a portal
	Name      string // of the prepared statement: Parse, Bind, Describe and Close of a statement
	Portal    string // Bind, Execute, Describe and Close of a portal
	Statement int    // Parse and Query: the statement's number
	Rows      uint32 // Execute: 0 for all
	Formats   []uint16
	Params    []Param
	Results   []uint16 // formats
	Withheld  bool     // Bind: too large, or not well formed: what follows the names is not known
	Count     int      // CopyData: messages
	Bytes     int64    // CopyData: of data
}

// Param is the value of a parameter. Value is nil for NULL.
type Param struct {
	Value   []byte
	StandIn bool // Value takes the place of the true one
}
