package admin

import "poolerd/wire"

// helpText is PgBouncer's, to the letter: SHOW FDS is in it, and refused with the reason.
const helpText = "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION" +
	"\n\tSHOW PEERS|PEER_POOLS" +
	"\n\tSHOW FDS|SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE" +
	"\n\tSHOW DNS_HOSTS|DNS_ZONES" +
	"\n\tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS" +
	"\n\tSET key = arg" +
	"\n\tRELOAD" +
	"\n\tPAUSE [<db>]" +
	"\n\tRESUME [<db>]" +
	"\n\tDISABLE <db>" +
	"\n\tENABLE <db>" +
	"\n\tRECONNECT [<db>]" +
	"\n\tKILL [<db>]" +
	"\n\tKILL_CLIENT <client_id>" +
	"\n\tSUSPEND" +
	"\n\tSHUTDOWN" +
	"\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS" +
	"\n\tWAIT_CLOSE [<db>]"

// help lists the commands in a notice.
func (c *Console) help() (result, *wire.Error) {
	return result{notices: []*wire.Error{notice("Console usage", helpText)}}, nil
}

func notice(message, detail string) *wire.Error {
	return &wire.Error{Severity: "NOTICE", Code: "00000", Message: message, Detail: detail}
}

// refuseFDs: PgBouncer shows its descriptors, and with them keys and passwords, for its successor to take over.
func (c *Console) refuseFDs() (result, *wire.Error) {
	return result{}, wire.Errorf(wire.CodeFeatureNotSupported, "SHOW FDS is not available: it would hand out sockets and passwords")
}
