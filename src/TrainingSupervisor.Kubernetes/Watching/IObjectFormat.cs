namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// How objects come over the wire. JSON today; Kubernetes' protobuf encoding, which costs a fifth of the time, would be a second one:
/// its watch events are frames with a length in front instead of lines.
/// </summary>
internal interface IObjectFormat<T>
    where T : class
{
    /// <summary>For the Accept header.</summary>
    string MediaType { get; }

    /// <summary>The length of the first whole event in the buffer, or 0 while its end is not there. The first <paramref name="seen"/> bytes were looked at before.</summary>
    int FrameLength(ReadOnlySpan<byte> buffer, int seen);

    /// <summary>Reads one event; the frame may be reused after that.</summary>
    /// <exception cref="ApiStatusException">The event is an ERROR.</exception>
    WatchEvent<T> ReadEvent(ReadOnlyMemory<byte> frame);

    Task<ListPage<T>> ReadListAsync(Stream body, CancellationToken cancellationToken);
}
