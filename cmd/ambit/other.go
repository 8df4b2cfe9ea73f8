package main

import "github.com/spf13/cobra"

// otherCommands are all but run.
func (a *app) otherCommands() []*cobra.Command {
	return []*cobra.Command{
		a.grantsCommand(),
		a.approvalsCommand(),
		a.approveCommand(),
		a.denyCommand(),
		a.learnCommand(),
		a.netCommand(),
		a.psCommand(),
		a.execCommand(),
		a.cpCommand(),
		a.filesCommand(),
		a.logsCommand(),
		a.attachCommand(),
		a.sessionCommand(),
		a.snapshotCommand(),
		a.restoreCommand(),
		a.pauseCommand(),
		a.resumeCommand(),
		a.stopCommand(),
		a.serveCommand(),
		a.tokenCommand(),
		a.imageCommand(),
		a.packCommand(),
		a.policyCommand(),
		a.secretCommand(),
		a.storageCommand(),
		a.auditCommand(),
		a.whyCommand(),
		a.doctorCommand(),
		a.versionCommand(),
		a.attemptCommand(),
		capabilitiesTopic(),
	}
}
