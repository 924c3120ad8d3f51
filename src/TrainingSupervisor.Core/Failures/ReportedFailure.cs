namespace TrainingSupervisor;

/// <summary>
/// What a health system writes into the annotation <c>training-supervisor.dev/failure</c> of a Node or a Pod: <c>Kind: evidence</c>. Whoever
/// writes it need not know our kinds: text that names none is evidence as a whole.
/// </summary>
internal static class ReportedFailure
{
    /// <summary>The evidence goes into the gang record, which has room for a megabyte in all.</summary>
    private const int Longest = 1000;

    private static readonly Dictionary<string, FailureKind> Kinds =
        Enum.GetValues<FailureKind>().ToDictionary(k => k.ToString(), StringComparer.OrdinalIgnoreCase);

    /// <summary>On a Node, whose own kind is <see cref="FailureKind.NodeUnhealthy"/>; null if nothing is reported.</summary>
    public static (FailureKind Kind, string Evidence)? OfNode(string? annotation) => Parse(annotation, FailureKind.NodeUnhealthy);

    /// <summary>On a Pod, whose own kind is <see cref="FailureKind.HealthCheckFailed"/>; null if nothing is reported.</summary>
    public static (FailureKind Kind, string Evidence)? OfPod(string? annotation) => Parse(annotation, FailureKind.HealthCheckFailed);

    private static (FailureKind Kind, string Evidence)? Parse(string? annotation, FailureKind otherwise)
    {
        if (string.IsNullOrWhiteSpace(annotation)) return null;
        var colon = annotation.IndexOf(':', StringComparison.Ordinal);
        var word = (colon < 0 ? annotation : annotation[..colon]).Trim();
        if (!Kinds.TryGetValue(word, out var kind)) return (otherwise, Line(annotation));
        var evidence = colon < 0 ? "" : Line(annotation[(colon + 1)..]);
        return (kind, evidence.Length > 0 ? evidence : "reported without evidence");
    }

    /// <summary>One line: a failure is read in lists and logs.</summary>
    public static string Line(string text)
    {
        text = text.Trim();
        var cut = text.Length > Longest ? text[..Longest] + "…" : text;
        return string.Create(cut.Length, cut, static (line, from) =>
        {
            for (var i = 0; i < line.Length; i++) line[i] = char.IsControl(from[i]) ? ' ' : from[i];
        });
    }
}
