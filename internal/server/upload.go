package server

import (
	"context"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

func (s packs) UploadPack(ctx context.Context, r *connect.Request[pb.UploadPackRequest]) (*connect.Response[pb.UploadPackResponse], error) {
	if len(r.Msg.GetData()) == 0 {
		return nil, invalid("data: expected some, and at most 1 MiB")
	}
	caller := callerOf(ctx)
	id, size, err := s.archives.take(whose(caller), r.Msg, func(id string) error {
		return s.recordCall(ctx, caller, r.Spec().Procedure, "", []string{id})
	})
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.UploadPackResponse{Upload: id, Size: size}), nil
}
