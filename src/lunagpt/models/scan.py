"""The state-space recurrence, defined once and evaluated in three exact ways.

For every head with width K and state size N (Mamba-2 / SSD, Dao & Gu 2024, arXiv 2405.21060, section 6):

    S_t = exp(dt_t * A) * S_{t-1} + dt_t * B_t x_t^T          S: (N, K)
    y_t = C_t^T S_t + D * x_t

`scan_sequential` is the reference and follows the formula, `scan_step` is one step of it for decoding, and
`scan_chunked` cuts time into chunks of Q: inside a chunk the map is a masked matrix product, between chunks
the state is carried. All work in float32 (or float64) whatever the model's compute dtype: sums of dt*A in
bfloat16 lose two digits.

Letters: B batch, T time, C chunks, Q time in a chunk, H heads, K head width, G groups, N state size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def _work_dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def scan_sequential(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    state: Tensor | None = None,
    starts: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Reference evaluation, one position after the other.

    Args:
        x: (B, T, H, K) input. dt: (B, T, H) positive step sizes. A: (H,) negative rates. D: (H,) skip
            weights.
        B, C: (B, T, G, N) input and output maps; head h uses group h // (H / G).
        state: (B, H, N, K) state before the first position, zeros if None.
        starts: (B, T) bool, True where a document starts: the state is forgotten there.

    Returns:
        y (B, T, H, K) in the dtype of x, and the state (B, H, N, K) after the last position.
    """
    heads = x.shape[2]
    dtype = _work_dtype(x)
    state = x.new_zeros(x.shape[0], heads, B.shape[-1], x.shape[3], dtype=dtype) if state is None else state
    outputs = []
    for t in range(x.shape[1]):
        if starts is not None:
            state = state.masked_fill(starts[:, t, None, None, None], 0.0)
        y, state = scan_step(x[:, t], dt[:, t], A, B[:, t], C[:, t], D, state)
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


def scan_step(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of the recurrence, for decoding.

    Args:
        x: (B, H, K). dt: (B, H). A, D: (H,). B, C: (B, G, N). state: (B, H, N, K).

    Returns:
        y (B, H, K) in the dtype of x, and the new state.
    """
    dtype = state.dtype
    per_group = x.shape[1] // B.shape[1]
    x_, dt, A = x.to(dtype), dt.to(dtype), A.to(dtype)
    B = B.to(dtype).repeat_interleave(per_group, dim=1)
    C = C.to(dtype).repeat_interleave(per_group, dim=1)
    decay = torch.exp(dt * A)
    state = state * decay[..., None, None] + B[..., None] * (dt[..., None] * x_)[:, :, None, :]
    y = torch.matmul(C[:, :, None, :], state).squeeze(2) + D.to(dtype)[:, None] * x_
    return y.to(x.dtype), state


def scan_chunked(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    state: Tensor | None = None,
    starts: Tensor | None = None,
    chunk_size: int = 64,
) -> tuple[Tensor, Tensor]:
    """Parallel evaluation in chunks; arguments and results as in `scan_sequential`.

    Cost per position grows with Q and N, not with T. B and C are shared by the heads of a group, so the two
    products with the state are one matrix product per chunk for all heads of the group together.
    """
    batch, time, heads, width = x.shape
    groups, size = B.shape[2], B.shape[3]
    dtype = _work_dtype(x)
    chunks = -(-time // chunk_size)
    Q = -(-time // chunks)  # chunks of equal length: a short text is not padded to a whole chunk
    padding = chunks * Q - time
    skip = D.to(dtype)[:, None] * x.to(dtype)
    dt = dt.to(dtype)
    u = x.to(dtype) * dt[..., None]  # dt = 0 in the padding: it changes neither state nor output
    log_decay = dt * A.to(dtype)
    B, C = B.to(dtype), C.to(dtype)
    if padding:
        u = F.pad(u, (0, 0, 0, 0, 0, padding))
        B = F.pad(B, (0, 0, 0, 0, 0, padding))
        C = F.pad(C, (0, 0, 0, 0, 0, padding))
        log_decay = F.pad(log_decay, (0, 0, 0, padding))
        starts = None if starts is None else F.pad(starts, (0, padding))
    span = (heads // groups) * width  # all heads of a group side by side

    B = B.view(batch, chunks, Q, groups, size).permute(0, 1, 3, 4, 2)  # (B, C, G, N, Q)
    C = C.view(batch, chunks, Q, groups, size).transpose(2, 3)  # (B, C, G, Q, N)
    cumulated = log_decay.view(batch, chunks, Q, heads).cumsum(
        dim=2
    )  # (B, C, Q, H), includes position itself
    total = cumulated[:, :, -1]  # (B, C, H)
    decay_in = torch.exp(cumulated)  # from the chunk's start up to and with q
    decay_out = torch.exp(total[:, :, None] - cumulated)  # from after q to the chunk's end
    decay_all = torch.exp(total)

    scores = torch.matmul(C, B)  # (B, C, G, Q, Q): row = output position, column = input position
    visible = torch.ones(Q, Q, dtype=torch.bool, device=x.device).tril()
    if starts is not None:
        document = starts.view(batch, chunks, Q).cumsum(dim=2)  # 0 = goes on from the chunk before
        same = (document[..., :, None] == document[..., None, :]) & visible
        scores = scores * same[:, :, None]
        decay_in = decay_in * (document == 0)[..., None]
        decay_out = decay_out * (document == document[..., -1:])[..., None]
        decay_all = decay_all * (document[..., -1] == 0)[..., None]
    by_head = cumulated.transpose(2, 3)  # (B, C, H, Q)
    difference = (by_head[..., :, None] - by_head[..., None, :]).masked_fill(~visible, -torch.inf)
    mixing = torch.exp(difference).view(batch, chunks, groups, heads // groups, Q, Q) * scores[:, :, :, None]
    u = u.view(batch, chunks, Q, heads, width)
    inside = torch.matmul(mixing.view(batch, chunks, heads, Q, Q), u.transpose(2, 3)).transpose(2, 3)

    added = (u * decay_out[..., None]).view(batch, chunks, Q, groups, span).transpose(2, 3)
    added = torch.matmul(B, added)  # (B, C, G, N, span): what each chunk adds to the state
    added = added.view(batch, chunks, groups, size, heads // groups, width)
    decay_all = decay_all.view(batch, chunks, groups, 1, heads // groups, 1)
    if state is None:
        carried = added.new_zeros(batch, groups, size, heads // groups, width)
    else:
        carried = state.to(dtype).view(batch, groups, heads // groups, size, width).transpose(2, 3)
    before = []
    for decay, addition in zip(decay_all.unbind(1), added.unbind(1), strict=True):
        before.append(carried)
        carried = torch.addcmul(addition, carried, decay)
    entering = torch.stack(before, dim=1).view(batch, chunks, groups, size, span)
    across = torch.matmul(C, entering).transpose(2, 3).reshape(batch, chunks, Q, heads, width)

    y = (inside + across * decay_in[..., None]).reshape(batch, chunks * Q, heads, width)[:, :time] + skip
    final = carried.transpose(2, 3).reshape(batch, heads, size, width)
    return y.to(x.dtype), final
