; Installs octaskly for the user who runs this: the program, an entry in the user's Path, one among the installed apps.
; `/S` asks nothing; `/D=DIR`, last and without quotes, is another place. The data stay when it is removed.
;
; The Path is read and written in memory of the system's, as NSIS itself knows no text above 1024 characters and would cut off
; what others have put there. Given by -D: VERSION, FOUR_NUMBERS, STAGE, OUT, STUB, COMPRESS.

Unicode true
Target ${STUB}
!if "${COMPRESS}" == "off"
  SetCompress off
!else
  SetCompressor /SOLID lzma
!endif
RequestExecutionLevel user
ManifestDPIAware true
Name "Octaskly ${VERSION}"
OutFile "${OUT}"
InstallDir "$LOCALAPPDATA\Programs\octaskly"
; A new version goes where the former one is, so that there is one.
InstallDirRegKey HKCU "Software\Microsoft\Windows\CurrentVersion\Uninstall\octaskly" "InstallLocation"
BrandingText " "
ShowInstDetails show
ShowUninstDetails show
SetDateSave off

!include LogicLib.nsh
!include WinMessages.nsh

VIProductVersion "${FOUR_NUMBERS}"
VIAddVersionKey "ProductName" "Octaskly"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Installs Octaskly"
VIAddVersionKey "LegalCopyright" "MIT licence"

LicenseData "${STAGE}/LICENSE"
Page license
Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

!define APP "Software\Microsoft\Windows\CurrentVersion\Uninstall\octaskly"
!define HKCU_HANDLE 0x80000001
!define KEY_READ_WRITE 0x2001F
!define REG_EXPAND_SZ 2

; Takes $INSTDIR out of the user's Path, and with ADD puts it behind all others.
; $R0 key, $R1 type, $R2 bytes, $R3 text, $R4 entry to look for, $R5 where, $R6 rest, $R7 scratch; $R8 longest text, bytes.
!macro PathChanger PREFIX ADD
Function ${PREFIX}ChangePath
  System::Call 'advapi32::RegCreateKeyExW(p ${HKCU_HANDLE}, w "Environment", i 0, p 0, i 0, i ${KEY_READ_WRITE}, p 0, *p .R0, p 0) i .R7'
  ${If} $R7 <> 0
    DetailPrint "Your Path cannot be opened (error $R7): $INSTDIR is not on it."
    Return
  ${EndIf}
  StrCpy $R1 ${REG_EXPAND_SZ}
  StrCpy $R2 0
  System::Call 'advapi32::RegQueryValueExW(p R0, w "Path", p 0, *i .R1, p 0, *i .R2) i .R7'
  ${If} $R7 <> 0
    StrCpy $R1 ${REG_EXPAND_SZ}
    StrCpy $R2 0
  ${EndIf}
  ; Room for what is there, the entry, two semicolons and the end; all of it is zero, so that the text ends.
  IntOp $R8 $R2 + 4096
  System::Call 'kernel32::LocalAlloc(i 0x40, p R8) p .R3'
  System::Call 'kernel32::LocalAlloc(i 0x40, p R8) p .R4'
  ; As ";first;second;": so every entry looks the same.
  System::Call 'kernel32::lstrcatW(p R3, w ";")'
  ${If} $R2 > 0
    IntPtrOp $R6 $R3 + 2
    System::Call 'advapi32::RegQueryValueExW(p R0, w "Path", p 0, p 0, p R6, *i R2R2)'
  ${EndIf}
  System::Call 'kernel32::lstrcatW(p R3, w ";")'
  System::Call 'kernel32::lstrcatW(p R4, w ";$INSTDIR;")'
  StrLen $R8 ";$INSTDIR"
  IntOp $R8 $R8 * 2
  ${Do}
    System::Call 'shlwapi::StrStrIW(p R3, p R4) p .R5'
    ${If} $R5 P= 0
      ${ExitDo}
    ${EndIf}
    IntPtrOp $R6 $R5 + $R8
    System::Call 'kernel32::lstrlenW(p R6) i .R7'
    IntOp $R7 $R7 * 2
    IntOp $R7 $R7 + 2
    System::Call 'kernel32::RtlMoveMemory(p R5, p R6, p R7)'
  ${Loop}
!if "${ADD}" == "add"
  System::Call 'kernel32::lstrlenW(p R3) i .R7'
  ${If} $R7 > 2
    ; The semicolon at the end is there.
    System::Call 'kernel32::lstrcatW(p R3, w "$INSTDIR;")'
  ${Else}
    System::Call 'kernel32::lstrcpyW(p R3, p R4)'
  ${EndIf}
!endif
  ; Without the two semicolons again.
  IntPtrOp $R6 $R3 + 2
  System::Call 'kernel32::lstrlenW(p R6) i .R7'
  ${If} $R7 > 0
    IntOp $R7 $R7 - 1
    IntOp $R8 $R7 * 2
    IntPtrOp $R5 $R6 + $R8
    System::Call '*$R5(&i2 0)'
  ${EndIf}
  IntOp $R7 $R7 * 2
  IntOp $R7 $R7 + 2
  System::Call 'advapi32::RegSetValueExW(p R0, w "Path", i 0, i R1, p R6, i R7) i .R8'
  ${If} $R8 <> 0
    DetailPrint "Your Path cannot be written (error $R8)."
  ${EndIf}
  System::Call 'advapi32::RegCloseKey(p R0)'
  System::Call 'kernel32::LocalFree(p R3)'
  System::Call 'kernel32::LocalFree(p R4)'
  ; Terminals opened from now on are to know it.
  SendMessage ${HWND_BROADCAST} ${WM_SETTINGCHANGE} 0 "STR:Environment" /TIMEOUT=2000
FunctionEnd
!macroend
!insertmacro PathChanger "" "add"
!insertmacro PathChanger "un." ""

Section
  SetShellVarContext current
  SetOutPath "$INSTDIR"
  ; A program that runs cannot be replaced, but it can be given another name.
  Delete "$INSTDIR\octaskly.exe.*.old"
  ${If} ${FileExists} "$INSTDIR\octaskly.exe"
    System::Call 'kernel32::GetTickCount() i .R0'
    ClearErrors
    Rename "$INSTDIR\octaskly.exe" "$INSTDIR\octaskly.exe.$R0.old"
    ${If} ${Errors}
      Abort "Cannot replace $INSTDIR\octaskly.exe: end what uses it, then run this again. Nothing was changed."
    ${EndIf}
  ${EndIf}
  ClearErrors
  File "${STAGE}/octaskly.exe"
  ${If} ${Errors}
    Delete "$INSTDIR\octaskly.exe"
    Rename "$INSTDIR\octaskly.exe.$R0.old" "$INSTDIR\octaskly.exe"
    Abort "Cannot write $INSTDIR\octaskly.exe: is the disk full? Nothing was changed."
  ${EndIf}
  Delete "$INSTDIR\octaskly.exe.*.old"
  File "${STAGE}/LICENSE"
  File "${STAGE}/NOTICES.txt"
  File "${STAGE}/README.md"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKCU "${APP}" "DisplayName" "Octaskly"
  WriteRegStr HKCU "${APP}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${APP}" "Publisher" "The Octaskly authors"
  WriteRegStr HKCU "${APP}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${APP}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${APP}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${APP}" "NoModify" 1
  WriteRegDWORD HKCU "${APP}" "NoRepair" 1
  Call ChangePath
  DetailPrint "$INSTDIR is on your Path; terminals opened from now on know it. Type there: octaskly --help"
SectionEnd

Section "Uninstall"
  SetShellVarContext current
  ; What goes wrong is that there is none.
  nsExec::Exec '"$INSTDIR\octaskly.exe" service uninstall --all'
  Pop $R0
  Delete "$INSTDIR\octaskly.exe"
  ${If} ${FileExists} "$INSTDIR\octaskly.exe"
    ${IfNot} ${Silent}
      MessageBox MB_OK|MB_ICONEXCLAMATION "octaskly.exe is running and stays: end it, then remove Octaskly again."
    ${EndIf}
    SetErrorLevel 1
    Quit
  ${EndIf}
  Delete "$INSTDIR\octaskly.exe.*.old"
  Delete "$INSTDIR\LICENSE"
  Delete "$INSTDIR\NOTICES.txt"
  Delete "$INSTDIR\README.md"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKCU "${APP}"
  Call un.ChangePath
  DetailPrint "The data stay in $PROFILE\.octaskly: secret, credentials, tasks."
SectionEnd
