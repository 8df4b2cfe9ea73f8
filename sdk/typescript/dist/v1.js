// Made by api/gen of the files in api/ambit/v1: change those and run `make api`.
import { call, pages, stream } from './call.js';
import { enumeration, message } from './codec.js';
const differenceKindNames = enumeration([[0, 'DIFFERENCE_KIND_UNSPECIFIED'], [1, 'DIFFERENCE_KIND_TEXT'], [2, 'DIFFERENCE_KIND_BINARY'], [3, 'DIFFERENCE_KIND_LONG']]);
const sessionStateNames = enumeration([[0, 'SESSION_STATE_UNSPECIFIED'], [1, 'SESSION_STATE_STARTING'], [2, 'SESSION_STATE_RUNNING'], [3, 'SESSION_STATE_ENDED'], [4, 'SESSION_STATE_LOST']]);
const askNames = enumeration([[0, 'ASK_UNSPECIFIED'], [1, 'ASK_NOBODY'], [2, 'ASK_QUEUE']]);
const outputStreamNames = enumeration([[0, 'OUTPUT_STREAM_UNSPECIFIED'], [1, 'OUTPUT_STREAM_STDOUT'], [2, 'OUTPUT_STREAM_STDERR']]);
const fileKindNames = enumeration([[0, 'FILE_KIND_UNSPECIFIED'], [1, 'FILE_KIND_FILE'], [2, 'FILE_KIND_FOLDER'], [3, 'FILE_KIND_LINK'], [4, 'FILE_KIND_PIPE'], [5, 'FILE_KIND_SOCKET'], [6, 'FILE_KIND_DEVICE']]);
const verdictNames = enumeration([[0, 'VERDICT_UNSPECIFIED'], [1, 'VERDICT_DENY'], [2, 'VERDICT_ALLOW']]);
const spanNames = enumeration([[0, 'SPAN_UNSPECIFIED'], [1, 'SPAN_ONCE'], [2, 'SPAN_SESSION'], [3, 'SPAN_ALWAYS'], [4, 'SPAN_UNTIL']]);
const signerStateNames = enumeration([[0, 'SIGNER_STATE_UNSPECIFIED'], [1, 'SIGNER_STATE_UNSIGNED'], [2, 'SIGNER_STATE_FIRST'], [3, 'SIGNER_STATE_SAME'], [4, 'SIGNER_STATE_TAKES_OVER'], [5, 'SIGNER_STATE_HANDED_ON']]);
const wantStateNames = enumeration([[0, 'WANT_STATE_UNSPECIFIED'], [1, 'WANT_STATE_ASKED'], [2, 'WANT_STATE_ALLOWED'], [3, 'WANT_STATE_DENIED']]);
const choosingNames = enumeration([[0, 'CHOOSING_UNSPECIFIED'], [1, 'CHOOSING_LATER'], [2, 'CHOOSING_ALLOW'], [3, 'CHOOSING_DENY']]);
export const Record = message('ambit.v1.Record', () => [
    [1, 'seq', 'long'],
    [2, 'time', 'time', 'optional'],
    [3, 'id', 'string'],
    [4, 'kind', 'string'],
    [5, 'session', 'string'],
    [6, 'pack', 'string'],
    [7, 'body', 'string'],
    [8, 'prev', 'string'],
    [9, 'trace', 'string'],
    [10, 'organisation', 'string'],
]);
export const RecordFilter = message('ambit.v1.RecordFilter', () => [
    [1, 'session', 'string'],
    [2, 'kind', 'string'],
    [3, 'pack', 'string'],
    [4, 'since', 'time', 'optional'],
    [5, 'until', 'time', 'optional'],
    [6, 'capability', 'string'],
    [7, 'outcome', 'string'],
    [8, 'trace', 'string'],
]);
export const ListRecordsRequest = message('ambit.v1.ListRecordsRequest', () => [
    [1, 'pageSize', 'int'],
    [2, 'pageToken', 'string'],
    [3, 'filter', RecordFilter, 'optional'],
]);
export const ListRecordsResponse = message('ambit.v1.ListRecordsResponse', () => [
    [1, 'records', Record, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const GetRecordRequest = message('ambit.v1.GetRecordRequest', () => [
    [1, 'ref', 'string'],
]);
export const GetRecordResponse = message('ambit.v1.GetRecordResponse', () => [
    [1, 'record', Record, 'optional'],
]);
export const StreamRecordsRequest = message('ambit.v1.StreamRecordsRequest', () => [
    [1, 'filter', RecordFilter, 'optional'],
    [2, 'from', 'long'],
]);
export const StreamRecordsResponse = message('ambit.v1.StreamRecordsResponse', () => [
    [1, 'record', Record, 'optional'],
]);
export const VerifyLogRequest = message('ambit.v1.VerifyLogRequest', () => []);
export const VerifyLogResponse = message('ambit.v1.VerifyLogResponse', () => [
    [1, 'intact', 'bool'],
    [2, 'records', 'long'],
    [3, 'fault', 'string'],
    [4, 'head', 'string'],
    [5, 'lost', 'long'],
]);
export const ChangedVolume = message('ambit.v1.ChangedVolume', () => [
    [1, 'volume', 'string'],
    [2, 'source', 'string'],
    [3, 'target', 'string'],
    [4, 'stamp', 'string'],
]);
export const Change = message('ambit.v1.Change', () => [
    [1, 'volume', 'string'],
    [2, 'path', 'string'],
    [3, 'what', 'string'],
    [4, 'type', 'string'],
    [5, 'size', 'long'],
    [6, 'target', 'string'],
    [7, 'runs', 'bool'],
]);
export const ListChangesRequest = message('ambit.v1.ListChangesRequest', () => [
    [1, 'session', 'string'],
    [2, 'pageSize', 'int'],
    [3, 'pageToken', 'string'],
]);
export const ListChangesResponse = message('ambit.v1.ListChangesResponse', () => [
    [1, 'volumes', ChangedVolume, 'many'],
    [2, 'changes', Change, 'many'],
    [3, 'nextPageToken', 'string'],
]);
export const GetDifferenceRequest = message('ambit.v1.GetDifferenceRequest', () => [
    [1, 'session', 'string'],
    [2, 'volume', 'string'],
    [3, 'path', 'string'],
]);
export const GetDifferenceResponse = message('ambit.v1.GetDifferenceResponse', () => [
    [1, 'change', Change, 'optional'],
    [2, 'kind', differenceKindNames],
    [3, 'text', 'string'],
    [4, 'more', 'bool'],
]);
export const ApplyChangesRequest = message('ambit.v1.ApplyChangesRequest', () => [
    [1, 'session', 'string'],
    [2, 'volume', 'string'],
    [3, 'stamp', 'string'],
    [4, 'paths', 'string', 'many'],
    [5, 'all', 'bool'],
]);
export const ApplyChangesResponse = message('ambit.v1.ApplyChangesResponse', () => [
    [1, 'applied', Change, 'many'],
]);
export const DropChangesRequest = message('ambit.v1.DropChangesRequest', () => [
    [1, 'session', 'string'],
    [2, 'volume', 'string'],
    [3, 'all', 'bool'],
]);
export const DropChangesResponse = message('ambit.v1.DropChangesResponse', () => []);
export const Denial = message('ambit.v1.Denial', () => [
    [1, 'id', 'string'],
    [2, 'capability', 'string'],
    [3, 'reasons', Reason, 'many'],
]);
export const Reason = message('ambit.v1.Reason', () => [
    [1, 'rule', 'string'],
    [2, 'text', 'string'],
    [3, 'fix', 'string'],
    [4, 'grant', 'string'],
]);
export const Terminal = message('ambit.v1.Terminal', () => [
    [1, 'rows', 'int'],
    [2, 'columns', 'int'],
    [3, 'term', 'string'],
]);
export const WriteInputRequest = message('ambit.v1.WriteInputRequest', () => [
    [1, 'id', 'string'],
    [2, 'writer', 'string'],
    [3, 'offset', 'long'],
    [4, 'data', 'bytes'],
    [5, 'asked', 'long'],
]);
export const WriteInputResponse = message('ambit.v1.WriteInputResponse', () => [
    [1, 'next', 'long'],
]);
export const ResizeTerminalRequest = message('ambit.v1.ResizeTerminalRequest', () => [
    [1, 'id', 'string'],
    [2, 'rows', 'int'],
    [3, 'columns', 'int'],
]);
export const ResizeTerminalResponse = message('ambit.v1.ResizeTerminalResponse', () => []);
export const Session = message('ambit.v1.Session', () => [
    [1, 'id', 'string'],
    [2, 'pack', 'string'],
    [3, 'program', 'string'],
    [4, 'tier', 'string'],
    [5, 'pid', 'int'],
    [6, 'started', 'time', 'optional'],
    [7, 'ended', 'time', 'optional'],
    [8, 'state', sessionStateNames],
    [9, 'status', 'string'],
    [10, 'exit', 'int', 'optional'],
    [11, 'kept', 'bool'],
    [12, 'error', 'string'],
    [13, 'terminal', 'bool'],
    [14, 'trace', 'string'],
    [15, 'organisation', 'string'],
    [16, 'paused', 'bool'],
]);
export const ListSessionsRequest = message('ambit.v1.ListSessionsRequest', () => [
    [1, 'pageSize', 'int'],
    [2, 'pageToken', 'string'],
    [3, 'ended', 'bool'],
]);
export const ListSessionsResponse = message('ambit.v1.ListSessionsResponse', () => [
    [1, 'sessions', Session, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const GetSessionRequest = message('ambit.v1.GetSessionRequest', () => [
    [1, 'id', 'string'],
]);
export const GetSessionResponse = message('ambit.v1.GetSessionResponse', () => [
    [1, 'session', Session, 'optional'],
]);
export const CreateSessionRequest = message('ambit.v1.CreateSessionRequest', () => [
    [1, 'idempotencyKey', 'string'],
    [2, 'argv', 'string', 'many'],
    [3, 'pack', 'string'],
    [4, 'allow', 'string', 'many'],
    [5, 'deny', 'string', 'many'],
    [6, 'volumes', 'string', 'many'],
    [7, 'env', 'string', 'map'],
    [8, 'limits', 'string', 'map'],
    [9, 'home', 'string'],
    [10, 'tier', 'string'],
    [11, 'ask', askNames],
    [12, 'askTimeout', 'duration', 'optional'],
    [13, 'dir', 'string'],
    [14, 'stdin', 'bytes'],
    [15, 'askBy', 'string'],
    [16, 'terminal', Terminal, 'optional'],
    [17, 'checked', 'string'],
]);
export const CreateSessionResponse = message('ambit.v1.CreateSessionResponse', () => [
    [1, 'session', Session, 'optional'],
]);
export const CheckSessionRequest = message('ambit.v1.CheckSessionRequest', () => [
    [1, 'session', CreateSessionRequest, 'optional'],
]);
export const CheckSessionResponse = message('ambit.v1.CheckSessionResponse', () => [
    [1, 'starts', 'bool'],
    [2, 'program', 'string'],
    [3, 'argv', 'string', 'many'],
    [4, 'dir', 'string'],
    [5, 'pack', 'string'],
    [6, 'version', 'string'],
    [7, 'packDigest', 'string'],
    [8, 'tier', 'string'],
    [9, 'home', 'string'],
    [10, 'asks', 'bool'],
    [11, 'capabilities', CheckedCapability, 'many'],
    [12, 'volumes', CheckedVolume, 'many'],
    [13, 'limits', 'string', 'map'],
    [14, 'digest', 'string'],
    [15, 'env', 'string', 'many'],
]);
export const CheckedCapability = message('ambit.v1.CheckedCapability', () => [
    [1, 'capability', 'string'],
    [2, 'meaning', 'string'],
    [3, 'outcome', 'string'],
    [4, 'broad', 'bool'],
    [5, 'stops', 'bool'],
    [6, 'reason', 'string'],
    [7, 'why', 'string'],
]);
export const CheckedVolume = message('ambit.v1.CheckedVolume', () => [
    [1, 'source', 'string'],
    [2, 'target', 'string'],
    [3, 'mode', 'string'],
    [4, 'zone', 'string'],
    [5, 'bytes', 'long'],
    [6, 'files', 'long'],
]);
export const StopSessionRequest = message('ambit.v1.StopSessionRequest', () => [
    [1, 'id', 'string'],
    [2, 'now', 'bool'],
]);
export const StopSessionResponse = message('ambit.v1.StopSessionResponse', () => []);
export const StreamOutputRequest = message('ambit.v1.StreamOutputRequest', () => [
    [1, 'id', 'string'],
    [2, 'offset', 'long'],
]);
export const StreamOutputResponse = message('ambit.v1.StreamOutputResponse', () => [
    [1, 'stream', outputStreamNames],
    [2, 'data', 'bytes'],
    [3, 'next', 'long'],
    [4, 'end', SessionEnd, 'optional'],
    [5, 'lost', 'long'],
    [6, 'caughtUp', 'bool'],
]);
export const SessionEnd = message('ambit.v1.SessionEnd', () => [
    [1, 'exit', 'int'],
    [2, 'dropped', 'long'],
]);
export const Exec = message('ambit.v1.Exec', () => [
    [1, 'id', 'string'],
    [2, 'session', 'string'],
    [3, 'argv', 'string', 'many'],
    [4, 'started', 'time', 'optional'],
    [5, 'ended', 'time', 'optional'],
    [6, 'state', sessionStateNames],
    [7, 'exit', 'int', 'optional'],
    [8, 'terminal', 'bool'],
]);
export const CreateExecRequest = message('ambit.v1.CreateExecRequest', () => [
    [1, 'idempotencyKey', 'string'],
    [2, 'session', 'string'],
    [3, 'argv', 'string', 'many'],
    [4, 'env', 'string', 'map'],
    [5, 'dir', 'string'],
    [6, 'stdin', 'bytes'],
    [7, 'terminal', Terminal, 'optional'],
]);
export const CreateExecResponse = message('ambit.v1.CreateExecResponse', () => [
    [1, 'exec', Exec, 'optional'],
]);
export const ListExecsRequest = message('ambit.v1.ListExecsRequest', () => [
    [1, 'session', 'string'],
    [2, 'pageSize', 'int'],
    [3, 'pageToken', 'string'],
    [4, 'ended', 'bool'],
]);
export const ListExecsResponse = message('ambit.v1.ListExecsResponse', () => [
    [1, 'execs', Exec, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const GetExecRequest = message('ambit.v1.GetExecRequest', () => [
    [1, 'id', 'string'],
]);
export const GetExecResponse = message('ambit.v1.GetExecResponse', () => [
    [1, 'exec', Exec, 'optional'],
]);
export const StopExecRequest = message('ambit.v1.StopExecRequest', () => [
    [1, 'id', 'string'],
]);
export const StopExecResponse = message('ambit.v1.StopExecResponse', () => []);
export const File = message('ambit.v1.File', () => [
    [1, 'name', 'string'],
    [2, 'rawName', 'bytes'],
    [3, 'kind', fileKindNames],
    [4, 'size', 'long'],
    [5, 'mode', 'int'],
    [6, 'modified', 'time', 'optional'],
    [7, 'target', 'string'],
]);
export const ListFilesRequest = message('ambit.v1.ListFilesRequest', () => [
    [1, 'session', 'string'],
    [2, 'path', 'string'],
    [3, 'rawPath', 'bytes'],
    [4, 'pageSize', 'int'],
    [5, 'pageToken', 'string'],
]);
export const ListFilesResponse = message('ambit.v1.ListFilesResponse', () => [
    [1, 'files', File, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const GetFileRequest = message('ambit.v1.GetFileRequest', () => [
    [1, 'session', 'string'],
    [2, 'path', 'string'],
    [3, 'rawPath', 'bytes'],
]);
export const GetFileResponse = message('ambit.v1.GetFileResponse', () => [
    [1, 'file', File, 'optional'],
]);
export const StreamFileRequest = message('ambit.v1.StreamFileRequest', () => [
    [1, 'session', 'string'],
    [2, 'path', 'string'],
    [3, 'rawPath', 'bytes'],
    [4, 'offset', 'long'],
    [5, 'length', 'long'],
]);
export const StreamFileResponse = message('ambit.v1.StreamFileResponse', () => [
    [1, 'data', 'bytes'],
    [2, 'end', FileEnd, 'optional'],
]);
export const FileEnd = message('ambit.v1.FileEnd', () => [
    [1, 'size', 'long'],
    [2, 'changed', 'bool'],
]);
export const WriteFileRequest = message('ambit.v1.WriteFileRequest', () => [
    [1, 'session', 'string'],
    [2, 'path', 'string'],
    [3, 'rawPath', 'bytes'],
    [4, 'upload', 'string'],
    [5, 'offset', 'long'],
    [6, 'data', 'bytes'],
    [7, 'last', 'bool'],
]);
export const WriteFileResponse = message('ambit.v1.WriteFileResponse', () => [
    [1, 'upload', 'string'],
    [2, 'size', 'long'],
]);
export const RemoveFileRequest = message('ambit.v1.RemoveFileRequest', () => [
    [1, 'session', 'string'],
    [2, 'path', 'string'],
    [3, 'rawPath', 'bytes'],
    [4, 'folder', 'bool'],
    [5, 'all', 'bool'],
]);
export const RemoveFileResponse = message('ambit.v1.RemoveFileResponse', () => [
    [1, 'names', 'long'],
]);
export const MakeFolderRequest = message('ambit.v1.MakeFolderRequest', () => [
    [1, 'session', 'string'],
    [2, 'path', 'string'],
    [3, 'rawPath', 'bytes'],
]);
export const MakeFolderResponse = message('ambit.v1.MakeFolderResponse', () => []);
export const Question = message('ambit.v1.Question', () => [
    [1, 'id', 'string'],
    [2, 'session', 'string'],
    [3, 'pack', 'string'],
    [4, 'program', 'string'],
    [5, 'pid', 'int'],
    [6, 'argv', 'string', 'many'],
    [7, 'capability', 'string'],
    [8, 'meaning', 'string'],
    [9, 'reason', 'string'],
    [10, 'sensitive', 'string'],
    [11, 'offers', Offer, 'many'],
    [12, 'asked', 'time', 'optional'],
    [13, 'expires', 'time', 'optional'],
    [14, 'organisation', 'string'],
]);
export const Offer = message('ambit.v1.Offer', () => [
    [1, 'capability', 'string'],
    [2, 'scope', 'string'],
    [3, 'words', 'string'],
    [4, 'broad', 'bool'],
]);
export const ListQuestionsRequest = message('ambit.v1.ListQuestionsRequest', () => [
    [1, 'pageSize', 'int'],
    [2, 'pageToken', 'string'],
]);
export const ListQuestionsResponse = message('ambit.v1.ListQuestionsResponse', () => [
    [1, 'questions', Question, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const WatchQuestionsRequest = message('ambit.v1.WatchQuestionsRequest', () => []);
export const WatchQuestionsResponse = message('ambit.v1.WatchQuestionsResponse', () => [
    [1, 'put', Question, 'optional'],
    [2, 'over', 'string', 'optional'],
    [3, 'caughtUp', 'bool', 'optional'],
]);
export const AnswerQuestionRequest = message('ambit.v1.AnswerQuestionRequest', () => [
    [1, 'id', 'string'],
    [2, 'verdict', verdictNames],
    [3, 'scope', 'string'],
    [4, 'span', spanNames],
    [5, 'lifetime', 'duration', 'optional'],
    [6, 'broad', 'bool'],
]);
export const AnswerQuestionResponse = message('ambit.v1.AnswerQuestionResponse', () => [
    [1, 'capability', 'string'],
    [2, 'verdict', verdictNames],
    [3, 'span', spanNames],
    [4, 'until', 'time', 'optional'],
    [5, 'taken', 'bool'],
]);
export const Grant = message('ambit.v1.Grant', () => [
    [1, 'id', 'string'],
    [2, 'pack', 'string'],
    [3, 'digest', 'string'],
    [4, 'capability', 'string'],
    [5, 'meaning', 'string'],
    [6, 'verdict', verdictNames],
    [7, 'span', spanNames],
    [8, 'until', 'time', 'optional'],
    [9, 'session', 'string'],
    [10, 'origin', 'string'],
    [11, 'reason', 'string'],
    [12, 'created', 'time', 'optional'],
    [13, 'revoked', 'time', 'optional'],
    [14, 'organisation', 'string'],
]);
export const ListGrantsRequest = message('ambit.v1.ListGrantsRequest', () => [
    [1, 'pageSize', 'int'],
    [2, 'pageToken', 'string'],
    [3, 'pack', 'string'],
    [4, 'ended', 'bool'],
]);
export const ListGrantsResponse = message('ambit.v1.ListGrantsResponse', () => [
    [1, 'grants', Grant, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const AddGrantsRequest = message('ambit.v1.AddGrantsRequest', () => [
    [1, 'capabilities', 'string', 'many'],
    [2, 'pack', 'string'],
    [3, 'verdict', verdictNames],
    [4, 'lifetime', 'duration', 'optional'],
    [5, 'reason', 'string'],
    [6, 'broad', 'bool'],
]);
export const AddGrantsResponse = message('ambit.v1.AddGrantsResponse', () => [
    [1, 'grants', Grant, 'many'],
]);
export const RevokeGrantsRequest = message('ambit.v1.RevokeGrantsRequest', () => [
    [1, 'ids', 'string', 'many'],
    [2, 'endSessions', 'bool'],
]);
export const RevokeGrantsResponse = message('ambit.v1.RevokeGrantsResponse', () => [
    [1, 'grants', Grant, 'many'],
    [2, 'losses', Loss, 'many'],
]);
export const Loss = message('ambit.v1.Loss', () => [
    [1, 'session', 'string'],
    [2, 'capability', 'string'],
    [3, 'open', 'int'],
    [4, 'ended', 'bool'],
]);
export const GetVersionRequest = message('ambit.v1.GetVersionRequest', () => []);
export const GetVersionResponse = message('ambit.v1.GetVersionResponse', () => [
    [1, 'version', 'string'],
    [2, 'principal', 'string'],
    [3, 'role', 'string'],
    [4, 'started', 'time', 'optional'],
]);
export const CheckHealthRequest = message('ambit.v1.CheckHealthRequest', () => []);
export const CheckHealthResponse = message('ambit.v1.CheckHealthResponse', () => [
    [1, 'ready', 'bool'],
    [2, 'checks', Check, 'many'],
]);
export const Check = message('ambit.v1.Check', () => [
    [1, 'name', 'string'],
    [2, 'holds', 'bool'],
    [3, 'detail', 'string'],
]);
export const DiagnoseRequest = message('ambit.v1.DiagnoseRequest', () => []);
export const DiagnoseResponse = message('ambit.v1.DiagnoseResponse', () => [
    [1, 'holds', 'bool'],
    [2, 'findings', Finding, 'many'],
]);
export const Finding = message('ambit.v1.Finding', () => [
    [1, 'layer', 'string'],
    [2, 'state', 'string'],
    [3, 'needed', 'bool'],
    [4, 'detail', 'string'],
    [5, 'fix', 'string'],
]);
export const Pack = message('ambit.v1.Pack', () => [
    [1, 'id', 'string'],
    [2, 'folder', 'string'],
    [3, 'version', 'string'],
    [4, 'digest', 'string'],
    [5, 'signer', 'string'],
    [6, 'source', 'string'],
    [7, 'installed', 'bool'],
]);
export const ListPacksRequest = message('ambit.v1.ListPacksRequest', () => [
    [1, 'pageSize', 'int'],
    [2, 'pageToken', 'string'],
]);
export const ListPacksResponse = message('ambit.v1.ListPacksResponse', () => [
    [1, 'packs', Pack, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const GetPackRequest = message('ambit.v1.GetPackRequest', () => [
    [1, 'id', 'string'],
]);
export const GetPackResponse = message('ambit.v1.GetPackResponse', () => [
    [1, 'pack', Pack, 'optional'],
    [2, 'name', 'string'],
    [3, 'kind', 'string'],
    [4, 'description', 'string'],
    [5, 'entry', 'string', 'many'],
    [6, 'wants', Want, 'many'],
    [7, 'problems', 'string', 'many'],
]);
export const Want = message('ambit.v1.Want', () => [
    [1, 'capability', 'string'],
    [2, 'meaning', 'string'],
    [3, 'reason', 'string'],
    [4, 'optional', 'bool'],
    [5, 'broad', 'bool'],
    [6, 'granted', 'bool'],
    [7, 'why', 'string'],
    [8, 'problem', 'string'],
    [9, 'sessions', 'int'],
    [10, 'used', 'int'],
]);
export const UploadPackRequest = message('ambit.v1.UploadPackRequest', () => [
    [1, 'upload', 'string'],
    [2, 'offset', 'long'],
    [3, 'data', 'bytes'],
]);
export const UploadPackResponse = message('ambit.v1.UploadPackResponse', () => [
    [1, 'upload', 'string'],
    [2, 'size', 'long'],
]);
export const PreparePackRequest = message('ambit.v1.PreparePackRequest', () => [
    [1, 'source', 'string', 'optional'],
    [2, 'upload', 'string', 'optional'],
    [3, 'signer', 'string'],
    [4, 'allowOlder', 'bool'],
]);
export const OlderVersion = message('ambit.v1.OlderVersion', () => [
    [1, 'id', 'string'],
    [2, 'version', 'string'],
    [3, 'taken', 'string'],
]);
export const PreparePackResponse = message('ambit.v1.PreparePackResponse', () => [
    [1, 'prepared', Prepared, 'optional'],
]);
export const Prepared = message('ambit.v1.Prepared', () => [
    [1, 'id', 'string'],
    [2, 'expires', 'time', 'optional'],
    [3, 'pack', Pack, 'optional'],
    [4, 'name', 'string'],
    [5, 'kind', 'string'],
    [6, 'description', 'string'],
    [7, 'entry', 'string', 'many'],
    [8, 'signerState', signerStateNames],
    [9, 'before', Pack, 'optional'],
    [10, 'wants', PreparedWant, 'many'],
    [11, 'dropped', Dropped, 'many'],
    [12, 'sameVersion', 'bool'],
]);
export const PreparedWant = message('ambit.v1.PreparedWant', () => [
    [1, 'capability', 'string'],
    [2, 'meaning', 'string'],
    [3, 'reason', 'string'],
    [4, 'optional', 'bool'],
    [5, 'risk', 'string'],
    [6, 'broad', 'bool'],
    [7, 'state', wantStateNames],
]);
export const Dropped = message('ambit.v1.Dropped', () => [
    [1, 'capability', 'string'],
    [2, 'meaning', 'string'],
]);
export const Choice = message('ambit.v1.Choice', () => [
    [1, 'capability', 'string'],
    [2, 'choosing', choosingNames],
]);
export const InstallPackRequest = message('ambit.v1.InstallPackRequest', () => [
    [1, 'id', 'string'],
    [2, 'digest', 'string'],
    [3, 'choices', Choice, 'many'],
    [4, 'typedId', 'string'],
]);
export const InstallPackResponse = message('ambit.v1.InstallPackResponse', () => [
    [1, 'installed', Installed, 'optional'],
]);
export const Installed = message('ambit.v1.Installed', () => [
    [1, 'pack', Pack, 'optional'],
    [2, 'granted', 'string', 'many'],
    [3, 'denied', 'string', 'many'],
    [4, 'left', 'string', 'many'],
    [5, 'revoked', 'string', 'many'],
]);
export const UpdatePackRequest = message('ambit.v1.UpdatePackRequest', () => [
    [1, 'id', 'string'],
    [2, 'signer', 'string'],
    [3, 'allowOlder', 'bool'],
]);
export const UpdatePackResponse = message('ambit.v1.UpdatePackResponse', () => [
    [1, 'installed', Installed, 'optional'],
    [2, 'prepared', Prepared, 'optional'],
    [3, 'unchanged', Pack, 'optional'],
]);
export const RemovePackRequest = message('ambit.v1.RemovePackRequest', () => [
    [1, 'id', 'string'],
]);
export const RemovePackResponse = message('ambit.v1.RemovePackResponse', () => [
    [1, 'pack', Pack, 'optional'],
    [2, 'revoked', 'int'],
]);
export const PauseSessionRequest = message('ambit.v1.PauseSessionRequest', () => [
    [1, 'id', 'string'],
]);
export const PauseSessionResponse = message('ambit.v1.PauseSessionResponse', () => [
    [1, 'way', 'string'],
]);
export const ResumeSessionRequest = message('ambit.v1.ResumeSessionRequest', () => [
    [1, 'id', 'string'],
]);
export const ResumeSessionResponse = message('ambit.v1.ResumeSessionResponse', () => []);
export const StoredVersion = message('ambit.v1.StoredVersion', () => [
    [1, 'number', 'long'],
    [2, 'digest', 'string'],
    [3, 'size', 'long'],
    [4, 'time', 'time', 'optional'],
    [5, 'session', 'string'],
    [6, 'removed', 'bool'],
]);
export const StoredValue = message('ambit.v1.StoredValue', () => [
    [1, 'pack', 'string'],
    [2, 'key', 'string'],
    [3, 'current', StoredVersion, 'optional'],
    [4, 'versions', 'int'],
    [5, 'bytes', 'long'],
    [6, 'left', 'time', 'optional'],
]);
export const ListValuesRequest = message('ambit.v1.ListValuesRequest', () => [
    [1, 'pageSize', 'int'],
    [2, 'pageToken', 'string'],
]);
export const ListValuesResponse = message('ambit.v1.ListValuesResponse', () => [
    [1, 'values', StoredValue, 'many'],
    [2, 'nextPageToken', 'string'],
]);
export const GetValueRequest = message('ambit.v1.GetValueRequest', () => [
    [1, 'pack', 'string'],
    [2, 'key', 'string'],
]);
export const GetValueResponse = message('ambit.v1.GetValueResponse', () => [
    [1, 'versions', StoredVersion, 'many'],
]);
export const GetContentRequest = message('ambit.v1.GetContentRequest', () => [
    [1, 'pack', 'string'],
    [2, 'key', 'string'],
    [3, 'version', 'long'],
    [4, 'offset', 'long'],
]);
export const GetContentResponse = message('ambit.v1.GetContentResponse', () => [
    [1, 'version', 'long'],
    [2, 'size', 'long'],
    [3, 'data', 'bytes'],
]);
export const RemoveValueRequest = message('ambit.v1.RemoveValueRequest', () => [
    [1, 'pack', 'string'],
    [2, 'key', 'string'],
]);
export const RemoveValueResponse = message('ambit.v1.RemoveValueResponse', () => []);
export const RestoreValueRequest = message('ambit.v1.RestoreValueRequest', () => [
    [1, 'pack', 'string'],
    [2, 'key', 'string'],
    [3, 'version', 'long'],
]);
export const RestoreValueResponse = message('ambit.v1.RestoreValueResponse', () => [
    [1, 'version', StoredVersion, 'optional'],
]);
export const ForgetValueRequest = message('ambit.v1.ForgetValueRequest', () => [
    [1, 'pack', 'string'],
    [2, 'key', 'string'],
]);
export const ForgetValueResponse = message('ambit.v1.ForgetValueResponse', () => []);
export const AdoptValuesRequest = message('ambit.v1.AdoptValuesRequest', () => [
    [1, 'pack', 'string'],
]);
export const AdoptValuesResponse = message('ambit.v1.AdoptValuesResponse', () => []);
/** The record of what was asked, answered and done. */
export class AuditService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** Records, the newest first. */
    listRecords(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.AuditService/ListRecords', ListRecordsRequest, ListRecordsResponse, request, options);
    }
    /** The rows of all pages of listRecords, each page when it is come to. */
    allRecords(request = {}, options = {}) {
        return pages((pageToken) => this.listRecords({ ...request, pageToken }, options), (page) => page.records);
    }
    getRecord(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.AuditService/GetRecord', GetRecordRequest, GetRecordResponse, request, options);
    }
    /** Records as they are written, from now on or from a number on. */
    streamRecords(request = {}, options = {}) {
        return stream(this.#service, 'ambit.v1.AuditService/StreamRecords', StreamRecordsRequest, StreamRecordsResponse, request, options);
    }
    /** Checks the whole log, as `ambit audit verify` does. */
    verifyLog(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.AuditService/VerifyLog', VerifyLogRequest, VerifyLogResponse, request, options);
    }
}
/**
 * What sessions changed in volumes that copy on write, which is kept apart until
 * somebody applies it or drops it. Of a session that still runs there is none yet.
 */
export class ChangeService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** What was changed, one volume after the other, in the order of the paths. */
    listChanges(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ChangeService/ListChanges', ListChangesRequest, ListChangesResponse, request, options);
    }
    /** The rows of all pages of listChanges, each page when it is come to. */
    allChanges(request = {}, options = {}) {
        return pages((pageToken) => this.listChanges({ ...request, pageToken }, options), (page) => page.volumes);
    }
    /** What became of one file. */
    getDifference(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ChangeService/GetDifference', GetDifferenceRequest, GetDifferenceResponse, request, options);
    }
    /**
     * Puts changes of one volume into their place, all that are named or none: none
     * where the host's files, or what is kept apart, were changed since.
     */
    applyChanges(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ChangeService/ApplyChanges', ApplyChangesRequest, ApplyChangesResponse, request, options);
    }
    /** Forgets the changes of a volume, or of all. */
    dropChanges(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ChangeService/DropChanges', DropChangesRequest, DropChangesResponse, request, options);
    }
}
/**
 * The terminals of programs that this API has started with one. What is written to
 * them is SessionService.StreamOutput's.
 */
export class TerminalService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** Types something. A call that is sent again types nothing twice. */
    writeInput(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.TerminalService/WriteInput', WriteInputRequest, WriteInputResponse, request, options);
    }
    resizeTerminal(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.TerminalService/ResizeTerminal', ResizeTerminalRequest, ResizeTerminalResponse, request, options);
    }
}
/** Programs in their sandboxes. */
export class SessionService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** The sessions that run, the latest first. */
    listSessions(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.SessionService/ListSessions', ListSessionsRequest, ListSessionsResponse, request, options);
    }
    /** The rows of all pages of listSessions, each page when it is come to. */
    allSessions(request = {}, options = {}) {
        return pages((pageToken) => this.listSessions({ ...request, pageToken }, options), (page) => page.sessions);
    }
    getSession(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.SessionService/GetSession', GetSessionRequest, GetSessionResponse, request, options);
    }
    /**
     * Starts a program by `ambit run`, and returns when it is recorded as begun or
     * refused. A launch that is denied is permission_denied with a Denial each.
     */
    createSession(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.SessionService/CreateSession', CreateSessionRequest, CreateSessionResponse, request, options);
    }
    /**
     * What a program would be started with, as CreateSession would decide it now. Nothing
     * is started and nothing is recorded.
     */
    checkSession(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.SessionService/CheckSession', CheckSessionRequest, CheckSessionResponse, request, options);
    }
    /** Tells a session to end, and waits for that. */
    stopSession(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.SessionService/StopSession', StopSessionRequest, StopSessionResponse, request, options);
    }
    /**
     * What the program of a session that this API has made writes, from an offset
     * on, until it has ended.
     */
    streamOutput(request = {}, options = {}) {
        return stream(this.#service, 'ambit.v1.SessionService/StreamOutput', StreamOutputRequest, StreamOutputResponse, request, options);
    }
}
/**
 * Further programs in sessions that run, as `ambit exec` starts them. What they write
 * SessionService.StreamOutput has by their id, and TerminalService types into them.
 */
export class ExecService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /**
     * Starts a program in a session, and returns when that is recorded or refused: by
     * the same decision as for the session's own programs.
     */
    createExec(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ExecService/CreateExec', CreateExecRequest, CreateExecResponse, request, options);
    }
    /** Those of a session that run, the latest first: the ones that this API has started. */
    listExecs(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ExecService/ListExecs', ListExecsRequest, ListExecsResponse, request, options);
    }
    /** The rows of all pages of listExecs, each page when it is come to. */
    allExecs(request = {}, options = {}) {
        return pages((pageToken) => this.listExecs({ ...request, pageToken }, options), (page) => page.execs);
    }
    getExec(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ExecService/GetExec', GetExecRequest, GetExecResponse, request, options);
    }
    /**
     * Tells a program to end, and all that it started with it. Who wants to know when
     * it has, reads its output to the end.
     */
    stopExec(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.ExecService/StopExec', StopExecRequest, StopExecResponse, request, options);
    }
}
/**
 * Files of a session that runs, by the rights that its programs have. A path is
 * absolute and walked inside. It is given as text, or where it is not UTF-8 as raw
 * bytes, and never as both.
 */
export class FileService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** What is in a folder, in the order of the names' bytes. Links are not followed. */
    listFiles(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.FileService/ListFiles', ListFilesRequest, ListFilesResponse, request, options);
    }
    /** The rows of all pages of listFiles, each page when it is come to. */
    allFiles(request = {}, options = {}) {
        return pages((pageToken) => this.listFiles({ ...request, pageToken }, options), (page) => page.files);
    }
    /** What a path is. A link at its end is not followed. */
    getFile(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.FileService/GetFile', GetFileRequest, GetFileResponse, request, options);
    }
    /** A file as it is, or a part of it: as much as it has when it is opened. */
    streamFile(request = {}, options = {}) {
        return stream(this.#service, 'ambit.v1.FileService/StreamFile', StreamFileRequest, StreamFileResponse, request, options);
    }
    /** Sends a file in parts. It is put in its place with the last one, whole. */
    writeFile(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.FileService/WriteFile', WriteFileRequest, WriteFileResponse, request, options);
    }
    /** Removes a file, or a folder: one in which nothing is, or with what is in it. */
    removeFile(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.FileService/RemoveFile', RemoveFileRequest, RemoveFileResponse, request, options);
    }
    /** Makes a folder in one that is there. */
    makeFolder(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.FileService/MakeFolder', MakeFolderRequest, MakeFolderResponse, request, options);
    }
}
/** What running programs have asked for, and the answers of people. */
export class QuestionService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** The questions that wait, oldest first. */
    listQuestions(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.QuestionService/ListQuestions', ListQuestionsRequest, ListQuestionsResponse, request, options);
    }
    /** The rows of all pages of listQuestions, each page when it is come to. */
    allQuestions(request = {}, options = {}) {
        return pages((pageToken) => this.listQuestions({ ...request, pageToken }, options), (page) => page.questions);
    }
    /** The questions that wait, and then each change, until the caller leaves. */
    watchQuestions(request = {}, options = {}) {
        return stream(this.#service, 'ambit.v1.QuestionService/WatchQuestions', WatchQuestionsRequest, WatchQuestionsResponse, request, options);
    }
    /** Answers a question. Of two answers the first one stands. */
    answerQuestion(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.QuestionService/AnswerQuestion', AnswerQuestionRequest, AnswerQuestionResponse, request, options);
    }
}
/** What was granted and denied until further notice. */
export class GrantService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** The grants of the caller, oldest first. */
    listGrants(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.GrantService/ListGrants', ListGrantsRequest, ListGrantsResponse, request, options);
    }
    /** The rows of all pages of listGrants, each page when it is come to. */
    allGrants(request = {}, options = {}) {
        return pages((pageToken) => this.listGrants({ ...request, pageToken }, options), (page) => page.grants);
    }
    /** Grants or denies, as `ambit grants add` does: all that is named, or nothing. */
    addGrants(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.GrantService/AddGrants', AddGrantsRequest, AddGrantsResponse, request, options);
    }
    /**
     * Takes grants back, as `ambit grants revoke` does: all that are named, or none.
     * Sessions that run lose them within a second.
     */
    revokeGrants(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.GrantService/RevokeGrants', RevokeGrantsRequest, RevokeGrantsResponse, request, options);
    }
}
/** The machine, and what serves this API on it. */
export class HostService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    getVersion(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.HostService/GetVersion', GetVersionRequest, GetVersionResponse, request, options);
    }
    /** Whether the store answers and the log can be read. */
    checkHealth(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.HostService/CheckHealth', CheckHealthRequest, CheckHealthResponse, request, options);
    }
    /** What holds on this machine, as `ambit doctor` finds it. It takes seconds. */
    diagnose(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.HostService/Diagnose', DiagnoseRequest, DiagnoseResponse, request, options);
    }
}
/** Installed packs. */
export class PackService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    listPacks(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/ListPacks', ListPacksRequest, ListPacksResponse, request, options);
    }
    /** The rows of all pages of listPacks, each page when it is come to. */
    allPacks(request = {}, options = {}) {
        return pages((pageToken) => this.listPacks({ ...request, pageToken }, options), (page) => page.packs);
    }
    /** What a pack is and asks for, as `ambit pack check` says it. */
    getPack(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/GetPack', GetPackRequest, GetPackResponse, request, options);
    }
    /**
     * Takes an archive in parts, in their order, each of at most 1 MiB and all together
     * of at most 64 MiB. PreparePack reads it; what nobody goes on with is forgotten.
     */
    uploadPack(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/UploadPack', UploadPackRequest, UploadPackResponse, request, options);
    }
    /**
     * Unpacks and checks a pack, and says what it asks for. Nothing is installed and
     * nothing granted: InstallPack does that with the id of the answer, once, within
     * a quarter of an hour, for the same caller.
     */
    preparePack(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/PreparePack', PreparePackRequest, PreparePackResponse, request, options);
    }
    /** Installs what was prepared, exactly that, and grants what is chosen. */
    installPack(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/InstallPack', InstallPackRequest, InstallPackResponse, request, options);
    }
    /**
     * Prepares what the source of an installed pack has now. What asks for no more than
     * was allowed is installed at once.
     */
    updatePack(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/UpdatePack', UpdatePackRequest, UpdatePackResponse, request, options);
    }
    /** Removes a pack, and takes back what was granted to it, as `ambit pack rm` does. */
    removePack(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PackService/RemovePack', RemovePackRequest, RemovePackResponse, request, options);
    }
}
/** Sessions that stand still for a time. */
export class PauseService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /**
     * Has nothing in a session that runs go on, and returns when that is so. What waits
     * for an answer waits on; a bound on time goes on.
     */
    pauseSession(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PauseService/PauseSession', PauseSessionRequest, PauseSessionResponse, request, options);
    }
    /** Lets it go on. */
    resumeSession(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.PauseService/ResumeSession', ResumeSessionRequest, ResumeSessionResponse, request, options);
    }
}
/**
 * What outlives sessions: values under keys, of each pack, and of runs without one,
 * each in the versions that programs committed. The caller's own, and nobody else's.
 */
export class StorageService {
    #service;
    constructor(service) {
        this.#service = service;
    }
    /** All keys, in the order of packs and keys, with what is current. */
    listValues(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/ListValues', ListValuesRequest, ListValuesResponse, request, options);
    }
    /** The rows of all pages of listValues, each page when it is come to. */
    allValues(request = {}, options = {}) {
        return pages((pageToken) => this.listValues({ ...request, pageToken }, options), (page) => page.values);
    }
    /** The versions of one key, oldest first. */
    getValue(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/GetValue', GetValueRequest, GetValueResponse, request, options);
    }
    /** A part of the content of a version. */
    getContent(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/GetContent', GetContentRequest, GetContentResponse, request, options);
    }
    /** Commits that there is nothing under a key. Its versions stay. */
    removeValue(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/RemoveValue', RemoveValueRequest, RemoveValueResponse, request, options);
    }
    /** Commits what a version had once more, as a version of its own. */
    restoreValue(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/RestoreValue', RestoreValueRequest, RestoreValueResponse, request, options);
    }
    /** Removes a key with all its versions: nothing brings them back. */
    forgetValue(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/ForgetValue', ForgetValueRequest, ForgetValueResponse, request, options);
    }
    /** Gives a pack what the one that had its id before, and was removed, had stored. */
    adoptValues(request = {}, options = {}) {
        return call(this.#service, 'ambit.v1.StorageService/AdoptValues', AdoptValuesRequest, AdoptValuesResponse, request, options);
    }
}
/** Every service of a host. */
export class Services {
    audit;
    changes;
    terminals;
    sessions;
    execs;
    files;
    questions;
    grants;
    host;
    packs;
    pause;
    storage;
    constructor(service) {
        this.audit = new AuditService(service);
        this.changes = new ChangeService(service);
        this.terminals = new TerminalService(service);
        this.sessions = new SessionService(service);
        this.execs = new ExecService(service);
        this.files = new FileService(service);
        this.questions = new QuestionService(service);
        this.grants = new GrantService(service);
        this.host = new HostService(service);
        this.packs = new PackService(service);
        this.pause = new PauseService(service);
        this.storage = new StorageService(service);
    }
}
