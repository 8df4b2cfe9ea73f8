package audit

// Disk lets tests stand between the log and the disk.
type Disk = disk

// OSDisk is the disk of the host.
var OSDisk Disk = osDisk{}

// WithDisk returns o with another disk.
func (o Options) WithDisk(d Disk) Options {
	o.disk = d
	return o
}

// ParseRecordLine and the like give the parsers to the fuzzer.
func ParseRecordLine(line []byte) (Record, error) { return parseRecord(line) }
func (r Record) Line() []byte                     { return r.appendLine(nil) }
func ParseHeadLine(line []byte) (Head, error)     { return parseHeadLine(line) }
func (h Head) Line() []byte                       { return h.appendLine(nil) }
func ParseHeadFile(b []byte) (Head, error)        { return parseHeadFile(b) }
