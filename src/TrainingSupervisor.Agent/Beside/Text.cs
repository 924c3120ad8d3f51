namespace TrainingSupervisor.Agent.Beside;

/// <summary>Foreign words in our sentences.</summary>
internal static class Text
{
    /// <summary>One line of at most so many characters, without anything that a terminal would obey.</summary>
    internal static string Short(string text, int most)
    {
        if (text.Length > most)
            text = text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)] + "…";
        return Log.Printable(text);
    }
}
