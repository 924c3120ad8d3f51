using System.Buffers;

namespace TrainingSupervisor.Kubernetes;

/// <summary>Cuts a stream into whole events in one pooled buffer, so that an event costs no allocation of its size.</summary>
/// <param name="stream">The body of a watch.</param>
/// <param name="frameLength">See <see cref="IObjectFormat{T}.FrameLength"/>.</param>
internal sealed class FrameReader(Stream stream, FrameReader.Framing frameLength) : IDisposable
{
    // Far above what etcd stores of one object (1.5 MB): a stream without an end of line must not eat the memory.
    private const int Largest = 16 * 1024 * 1024;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
    private int _start;
    private int _end;
    private int _seen;

    public delegate int Framing(ReadOnlySpan<byte> buffer, int seen);

    /// <summary>Something was read that is no whole event.</summary>
    public bool HasRest => _end > _start;

    /// <summary>The next whole event that has been read; valid until the next <see cref="FillAsync"/>.</summary>
    public bool TryRead(out ReadOnlyMemory<byte> frame)
    {
        var length = frameLength(_buffer.AsSpan(_start, _end - _start), _seen);
        if (length == 0)
        {
            _seen = _end - _start;
            frame = default;
            return false;
        }

        frame = _buffer.AsMemory(_start, length);
        _start += length;
        _seen = 0;
        return true;
    }

    /// <summary>Reads on; false at the end of the stream.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length) Grow();
        var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += count;
        return count > 0;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        (_start, _end) = (0, 0);
    }

    private void Grow()
    {
        if (_buffer.Length >= Largest) throw new InvalidDataException($"an event of more than {Largest / 1024 / 1024} MiB");
        var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.AsSpan(0, _end).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
