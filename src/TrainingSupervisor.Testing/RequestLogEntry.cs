namespace TrainingSupervisor.Testing;

/// <summary>One answered request. A watch is entered when it opens.</summary>
public sealed record RequestLogEntry : ApiRequestInfo
{
    /// <summary>The HTTP status, or 0 where the connection was aborted on purpose.</summary>
    public required int Status { get; init; }

    /// <summary>When it was answered.</summary>
    public required DateTimeOffset Time { get; init; }
}
